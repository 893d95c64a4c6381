"""The labelled faces of a folder: a table of this project, or the list of WIDER FACE."""

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from offline.errors import ComparisonError
from offline.tables.rows import BOX

TABLE = "faces.csv"
WIDER = "*_bbx_gt.txt"
COLUMNS = ("file", *BOX)
# Fields of a face in WIDER FACE, after x, y, width and height.
FLAGS = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")


class Label(NamedTuple):
    """A face: its box x1 y1 x2 y2 in pixels of the upright picture.

    file: name of the picture, relative to the folder; place: file and line of the label; ignored:
    whether the face counts neither as found nor as missed.
    """

    file: str
    box: tuple[float, ...]
    place: str
    ignored: bool = False


def read_labels(folder: Path) -> list[Label]:
    """Read the table or the list that lies in `folder`.

    Raises:
        ComparisonError: there is none, there are several, or one is damaged.
    """
    path = _find(folder)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(_table(file, path) if path.name == TABLE else _wider(file, path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ComparisonError(f"{path} is no text in UTF-8; save it again as CSV") from error


def _find(folder: Path) -> Path:
    if not folder.is_dir():
        raise ComparisonError(f"{folder} is no folder; give one with pictures and {TABLE}")
    found = [*folder.glob(TABLE), *sorted(folder.glob(WIDER))]
    if not found:
        raise ComparisonError(
            f"{folder} has no {TABLE}; run `emotions predict {folder} --out FOLDER`, correct its "
            f"{TABLE}, and copy it there"
        )
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ComparisonError(f"{folder} has {names}; keep one of them")
    return found[0]


def _table(lines: Iterator[str] | Sequence[str], path: Path) -> Iterator[Label]:
    rows = csv.DictReader(lines)
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise ComparisonError(
            f"{path} has no column {', '.join(missing)}; its first line has to name the columns "
            f"{','.join(COLUMNS)}"
        )
    for row in rows:
        place = f"{path}, line {rows.line_num}"
        yield Label(row["file"] or "", _box([row[name] for name in BOX], place), place)


def _box(values: Sequence[str | None], place: str) -> tuple[float, ...]:
    box = _numbers(values, place)
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ComparisonError(f"{place}: the box is empty; x1 < x2 and y1 < y2 are needed")
    return box


def _numbers(values: Sequence[str | None], place: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value or "") for value in values)
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        shown = ",".join(value or "" for value in values)
        raise ComparisonError(f"{place}: {shown[:60]!r} are no numbers; correct the line")
    return numbers


def _wider(lines: Iterator[str], path: Path) -> Iterator[Label]:
    """Read blocks of a name, a number of faces, and a line per face, one also if it is 0.

    S. Yang et al., "WIDER FACE: a face detection benchmark", CVPR 2016.
    """
    numbered = enumerate((line.strip() for line in lines), 1)
    for at, name in numbered:
        if not name:
            continue
        _, count = next(numbered, (at, ""))
        if not count.isdecimal():
            raise ComparisonError(f"{path}, line {at + 1}: a number of faces has to follow {name}")
        block = list(islice(numbered, max(1, int(count))))
        if len(block) < int(count):
            raise ComparisonError(f"{path} ends in the faces of {name}; download it again")
        for line, face in block[: int(count)]:
            yield _wider_face(name, face, f"{path}, line {line}")


def _wider_face(name: str, face: str, place: str) -> Label:
    """Return a face; one that is marked as invalid, or has no area, is ignored."""
    fields = face.split()
    if len(fields) != len(BOX) + len(FLAGS):
        raise ComparisonError(f"{place}: a face has {len(BOX) + len(FLAGS)} numbers")
    x, y, width, height, *flags = _numbers(fields, place)
    ignored = bool(flags[FLAGS.index("invalid")]) or not (width > 0 and height > 0)
    return Label(name, (x, y, x + width, y + height), place, ignored)
