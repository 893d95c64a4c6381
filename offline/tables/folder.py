"""`faces.csv` and `images.csv` of a folder, which a later run with `--resume` continues."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.document import ImageResult
from engines.disk import atomic_write
from offline.errors import OutputError
from offline.tables.csv_file import read_rows, reopen
from offline.tables.people import ResumableClustering
from offline.tables.rows import FACE, Row, face_row, image_row

IMAGES = "images.csv"
TABLES = ("faces.csv", IMAGES)
BASE = "base.txt"


class FolderTables:
    """The tables of a folder. `done` holds the names of the images that are finished.

    The faces of an image are written before its own row, so an image is done when its row is
    complete. Opening the tables drops rows that a killed run has truncated, and rows of images that
    failed, which are analyzed again. With `same_person`, faces must have embeddings, and get the
    numbers of their people.

    `base` is the folder that the names of the images are relative to. It is stored in `base.txt`:
    images of another folder may have the same names and must not count as done.
    """

    def __init__(
        self,
        folder: Path,
        labels: Sequence[str],
        *,
        resume: bool,
        embeddings: bool = False,
        same_person: float | None = None,
        base: Path | None = None,
    ) -> None:
        faces, images = (folder / name for name in TABLES)
        if images.exists():
            _check_resumable(folder, resume, base)
        last = ("embedding",) if embeddings else ()
        face_columns = ("file", *FACE, *labels, "emotion", "identity", *last)
        size = ("width", "height", "turned")
        columns = ("file", *size, "faces", *labels, "emotion", "error", "detail")
        self._labels, self._embeddings = labels, embeddings
        self.done = {row["file"] for row in read_rows(images, columns) if not row["error"]}
        kept = (row for row in read_rows(faces, face_columns) if row["file"] in self.done)
        self._people = _restore(folder, kept, same_person) if same_person else None
        if base is not None:
            with atomic_write(folder / BASE) as temporary:
                temporary.write_bytes(os.fsencode(base))
        self._faces = reopen(faces, face_columns, lambda row: row["file"] in self.done)
        self._images = reopen(images, columns, lambda row: not row["error"])

    def add(self, result: ImageResult) -> None:
        """Write the rows of an image's faces, then its own."""
        for i, face in enumerate(result.faces):
            row = face_row(result.id, i, face, embedding=self._embeddings)
            if self._people and face.embedding is not None:
                row["identity"] = self._people.add(face.embedding)
            self._faces.write(row)
        self._images.write(image_row(result, self._labels))
        self.done.add(result.id)

    def close(self) -> None:
        """Close the files."""
        self._faces.close()
        self._images.close()
        if self._people:
            self._people.close()


def _check_resumable(folder: Path, resume: bool, base: Path | None) -> None:
    if not resume:
        raise OutputError(f"{folder} holds results; continue with --resume, or choose another")
    file = folder / BASE  # earlier versions did not write it
    if base is None or not file.exists():
        return
    other = os.fsdecode(file.read_bytes())
    if other != str(base):
        raise OutputError(
            f"{folder} holds results for files of {other}, not of {base}, and files with the same "
            "name would be confused; give the same paths as before, or choose another --out"
        )


def _restore(folder: Path, faces: Iterator[Row], same_person: float) -> ResumableClustering:
    try:
        return ResumableClustering(folder, [int(row["identity"]) for row in faces], same_person)
    except ValueError as error:
        raise OutputError(
            f"{folder} was written without identities, or by another embedder; continue with "
            "--no-identities, or choose another folder"
        ) from error
