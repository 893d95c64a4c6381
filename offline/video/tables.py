"""`faces.csv` and `frames.csv` of a video."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

from analysis.document import Face, ImageResult
from offline.tables.rows import FACE, face_row, image_row
from offline.video.reading import Frame
from offline.video.tracking import Track

TABLES = ("faces.csv", "frames.csv")
# The numbers of people are known only at the end, when this file is copied to `faces.csv`.
PART = "faces.part"


class Columns(NamedTuple):
    """Optional columns: the embeddings of the faces, and the numbers of their people.

    Without `identities` no embeddings are compared. Faces are tracked by their position alone, and
    the report shows each track separately.
    """

    embeddings: bool = False
    identities: bool = True


class VideoTables:
    """Writes the rows of each frame; `finish` adds the column `identity`."""

    def __init__(self, folder: Path, name: str, labels: Sequence[str], columns: Columns) -> None:
        self._folder, self._name, self._labels, self._columns = (folder, name, labels, columns)
        self._open = ExitStack()
        head = ("file", "frame", "time", "timecode")
        last = ("embedding",) if columns.embeddings else ()
        self._faces = self._table(PART, (*head, "track", *FACE, *labels, "emotion", *last))
        self._frames = self._table("frames.csv", (*head, "turned", "faces", *labels, "emotion"))

    def _table(self, name: str, columns: Sequence[str]) -> "csv.DictWriter[str]":
        file = self._open.enter_context(_create(self._folder / name))
        table = csv.DictWriter(file, columns, "", "ignore", lineterminator="\n")
        table.writeheader()
        return table

    def add(self, frame: Frame, result: ImageResult, tracks: Sequence[Track]) -> None:
        """Write a frame and its faces, each with its track."""
        head = {
            "file": self._name,
            "frame": frame.number,
            "time": round(frame.time, 3),
            "timecode": frame.timecode,
        }
        for i, (track, face) in enumerate(zip(tracks, result.faces, strict=True)):
            self._faces.writerow(self._face_row(i, face) | head | {"track": track.number})
        self._frames.writerow(image_row(result, self._labels) | head)

    def _face_row(self, index: int, face: Face) -> dict[str, Any]:
        return face_row(self._name, index, face, embedding=self._columns.embeddings)

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def finish(self, people: Mapping[int, int]) -> None:
        """Write `faces.csv` after `close`; `people` are the numbers of people by track."""
        part = self._folder / PART
        if not self._columns.identities:
            part.rename(self._folder / "faces.csv")
            return
        with (
            part.open(newline="", encoding="utf-8") as source,
            _create(self._folder / "faces.csv") as target,
        ):
            rows = csv.DictReader(source)
            columns = [*(rows.fieldnames or []), "identity"]
            table = csv.DictWriter(target, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(row | {"identity": people[int(row["track"])]} for row in rows)
        part.unlink()


def _create(path: Path) -> IO[Any]:
    return path.open("w", newline="", encoding="utf-8")
