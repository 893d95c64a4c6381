"""Results of a folder as tables: a row a face, a row an image; safe to break off and go on."""

import csv
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from analysis.document import Face, ImageResult
from engines.plan import staged
from offline.clustering import Kept

Form = Literal["csv", "parquet", "jsonl"]
Row = dict[str, Any]
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
BOX = ("x1", "y1", "x2", "y2")
LANDMARKS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
FACE = ("file", "face", *BOX, "score", *LANDMARKS)
TEXTS = {"file", "emotion", "embedding", "error", "detail"}
COUNTS = {"face", "identity", "width", "height", "faces", "frame", "track"}
DIGITS = 6
TABLES = ("faces.csv", "images.csv")
BASE = "base.txt"


class OutputError(Exception):
    """The folder for the results holds what must not be mixed with them."""


class Tables:
    """`faces.csv` and `images.csv` in a folder.

    An image's faces are written before its own row: an image counts as done when its row is
    whole. Going on drops what a kill cut off, and the rows of images that failed, which are
    tried again. With `same_person`, see `Identities`, the faces carry embeddings, and their rows
    people's numbers.

    `base` is the folder that the images' names are relative to, kept in `base.txt`: under the names
    of one folder's images another's would be taken for done.
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
        if images.exists() and not resume:
            raise OutputError(f"{folder} holds results; go on with --resume, or choose another")
        if base is not None and images.exists():
            _check_base(folder, base)
        last = ("embedding",) if embeddings else ()
        face_columns = (*FACE, *labels, "emotion", "identity", *last)
        columns = ("file", "width", "height", "faces", *labels, "emotion", "error", "detail")
        self._labels, self._embeddings = labels, embeddings
        self.done = {row["file"] for row in _rows(images, columns) if not row["error"]}
        rows = (row for row in _rows(faces, face_columns) if row["file"] in self.done)
        self._kept = _keep(folder, rows, same_person) if same_person else None
        if base is not None:
            with staged(folder / BASE) as temporary:
                temporary.write_bytes(os.fsencode(base))
        self._faces = _reopen(faces, face_columns, lambda row: row["file"] in self.done)
        self._images = _reopen(images, columns, lambda row: not row["error"])

    def add(self, result: ImageResult) -> None:
        """Write an image's rows, its own last."""
        for i, face in enumerate(result.faces):
            row = face_row(result.id, i, face, embedding=self._embeddings)
            if self._kept and face.embedding is not None:
                row["identity"] = self._kept.add(face.embedding)
            self._faces.write(row)
        self._images.write(image_row(result, self._labels))
        self.done.add(result.id)

    def close(self) -> None:
        """Close the files."""
        self._faces.close()
        self._images.close()
        if self._kept:
            self._kept.close()


class _Appender:
    """A CSV file that whole rows are added to."""

    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._file = file
        self._writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")

    def write(self, row: Row) -> None:
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def face_row(file: str, index: int, face: Face, *, embedding: bool = False) -> Row:
    """A face as a row, by column; with its embedding if that is asked for and there."""
    row: Row = {"file": file, "face": index, "score": face.score, "emotion": face.emotion}
    row |= zip(BOX, face.box, strict=True)
    row |= zip(LANDMARKS, [value for point in face.landmarks for value in point], strict=True)
    if embedding and face.embedding is not None:
        row["embedding"] = json.dumps(face.embedding)
    return row | face.scores


def image_row(result: ImageResult, labels: Sequence[str]) -> Row:
    """An image as a row: how many faces, and the mean of their scores."""
    row: Row = {"file": result.id, "faces": len(result.faces)}
    if result.error:
        return row | {"error": result.error.code, "detail": result.error.detail}
    row |= {"width": result.width, "height": result.height}
    if not result.faces:
        return row
    total = len(result.faces)
    means = {
        label: round(sum(face.scores[label] for face in result.faces) / total, DIGITS)
        for label in labels
    }
    return row | means | {"emotion": max(means, key=means.__getitem__)}


def _reopen(path: Path, columns: Sequence[str], keep: Callable[[Row], bool]) -> _Appender:
    """Write the table anew with the rows to keep, and open it to add more."""
    with staged(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in _rows(path, columns) if keep(row))
    return _Appender(path.open("a", newline="", encoding="utf-8"), columns)


def _check_base(folder: Path, base: Path) -> None:
    kept = folder / BASE  # not there in a folder of earlier versions
    if kept.exists() and (other := os.fsdecode(kept.read_bytes())) != str(base):
        raise OutputError(
            f"{folder} holds results of what lies in {other}, not of what lies in {base}: files of "
            "one name would be taken for each other; name the same paths, or choose another --out"
        )


def _keep(folder: Path, faces: Iterator[Row], same_person: float) -> Kept:
    try:
        return Kept(folder, [int(row["identity"]) for row in faces], same_person)
    except ValueError as error:
        raise OutputError(
            f"{folder} was written without identities, or by another embedder; go on with "
            "--no-identities, or choose another folder"
        ) from error


def _rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The whole rows of a table; none if it is not there.

    Raises:
        OutputError: the table has other columns.
    """
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(line for line in file if line.endswith("\n"))
        header = next(reader, list(columns))
        if header != list(columns):
            raise OutputError(f"{path} has other columns; was it written with other options?")
        yield from (dict(zip(columns, values, strict=True)) for values in reader)


def convert(folder: Path, form: Form, names: Sequence[str] = TABLES) -> None:
    """Write the tables of a folder in another form beside them, a few rows at a time.

    Raises:
        OutputError: Parquet is asked for and pyarrow is not installed.
    """
    if form == "csv":
        return
    write = _to_lines if form == "jsonl" else _to_parquet
    for path in (folder / name for name in names):
        with staged(path.with_suffix(f".{form}")) as temporary:
            write(path, temporary)


def check(form: Form) -> None:
    """Fail before the work begins where `convert` would fail after it."""
    if form == "parquet":
        _arrow()


def check_video() -> None:
    """Fail in words where PyAV, which an extra brings, is not installed."""
    if importlib.util.find_spec("av") is None:
        raise OutputError(
            "videos need PyAV; `./build.sh` brings it, or `pip install '.[video]'` elsewhere"
        )


def _to_lines(path: Path, out: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file, out.open("w", encoding="utf-8") as lines:
        for row in csv.DictReader(file):
            values = {name: _value(name, text) for name, text in row.items()}
            lines.write(json.dumps(values, ensure_ascii=False) + "\n")


def _value(name: str, text: str) -> str | int | float | None:
    if not text:
        return None
    if name in TEXTS:
        return text
    return int(text) if name in COUNTS else float(text)


def _to_parquet(path: Path, out: Path) -> None:
    arrow, arrow_csv, parquet = _arrow()
    with path.open(newline="", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    types = {name: _type(name, arrow) for name in columns}
    options = arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    with (
        arrow_csv.open_csv(path, convert_options=options) as batches,
        parquet.ParquetWriter(out, batches.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def _type(name: str, arrow: Any) -> Any:
    if name in TEXTS:
        return arrow.string()
    return arrow.int32() if name in COUNTS else arrow.float64()


def _arrow() -> tuple[Any, Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415
        import pyarrow.csv  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise OutputError(
            "Parquet needs pyarrow; `pip install '.[parquet]'` in the repository brings it"
        ) from error
    return pyarrow, pyarrow.csv, pyarrow.parquet
