"""`python -m training.detector.labelled`: held-out pictures with labels, for `emotions compare`.

The pictures are those of `kinds_of_view`: held-out photographs, set into held-out backgrounds. A
quarter of them has no face. Writes a folder per kind, and `faces.csv` with the nominal boxes and
the column `kind`. Faces in profile are left out: a detector would have to select them.
"""

import argparse
import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from engines.types import F32, U8
from training.detector.kinds_of_view import KINDS, ROWS, Kind, empty, pictures_of
from training.detector.pictures import Pictures
from training.errors import TrainingError, reported

SIDE = 640
KINDS_SHOWN = tuple(kind for kind in KINDS if not kind.in_profile)
# Kinds that change a picture without a face.
EMPTY_KINDS = tuple(kind for kind in KINDS_SHOWN if kind is KINDS[0] or kind.effect)
# Backgrounds in a row and in a column of a picture without a face.
CELLS = (1, 4)
COLUMNS = ("file", "x1", "y1", "x2", "y2", "kind")
NO_BOXES = np.zeros((0, 4), np.float32)


class Labelled(NamedTuple):
    """`image` (h, w, 3) uint8 RGB, and the boxes (N, 4) of its faces, in pixels."""

    kind: Kind
    image: U8
    boxes: F32


def main() -> None:
    """Write the pictures and the table."""
    parser = argparse.ArgumentParser(prog="python -m training.detector.labelled")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives")
    add("--out", type=Path, required=True, help="folder to write")
    add("--pictures", type=int, default=600, help="number of pictures")
    given = parser.parse_args()
    with reported(parser):
        pictures = Pictures.load(given.data).split()[1]
        write(labelled(pictures, given.pictures), given.out)


def labelled(pictures: Pictures, count: int, side: int = SIDE) -> Iterator[Labelled]:
    """Yield `count` pictures of `side` pixels or less, as many of each kind.

    A quarter has no face, or fewer if there are too few backgrounds.
    """
    without = count // 4
    for kind, share in zip(KINDS_SHOWN, _shares(count - without, len(KINDS_SHOWN)), strict=True):
        shown = pictures_of(kind, pictures, max(1, share) * ROWS**2, side)
        yield from (Labelled(kind, each.image, each.boxes) for each in islice(shown, share))
    views = [(kind, cells) for kind in EMPTY_KINDS for cells in CELLS]
    for (kind, cells), share in zip(views, _shares(without, len(views)), strict=True):
        images = empty(pictures, kind, side, cells)
        yield from (Labelled(kind, image, NO_BOXES) for image in islice(images, share))


def _shares(count: int, parts: int) -> list[int]:
    """Divide `count` into parts that differ by at most one."""
    return [count // parts + (number < count % parts) for number in range(parts)]


def write(pictures: Iterator[Labelled], out: Path) -> None:
    """Write pictures as JPEG, and their boxes, as far as they lie inside, as `faces.csv`.

    Raises:
        TrainingError: the folder has files already.
    """
    if out.exists() and any(out.iterdir()):
        raise TrainingError(f"{out} has files already; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for number, (kind, image, boxes) in enumerate(pictures):
            name = f"{_folder(kind, boxes)}/{number:05}.jpg"
            (out / name).parent.mkdir(exist_ok=True)
            Image.fromarray(image).save(out / name, quality=95, subsampling=0)
            height, width = image.shape[:2]
            for box in np.clip(boxes, 0, [width, height, width, height]):
                rows.writerow([name, *(f"{value:.1f}" for value in box), kind.name])


def _folder(kind: Kind, boxes: F32) -> str:
    name = kind.name.replace(",", "").replace("°", "").replace(" ", "-")
    return name if len(boxes) else f"without-a-face-{name}"


if __name__ == "__main__":
    main()
