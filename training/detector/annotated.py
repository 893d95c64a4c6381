"""Faces with landmarks that people annotated: `faces_landmarks.zip`."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engines.types import U8
from training.detector.pictures import decode

ARCHIVE = "faces_landmarks.zip"
# The points of names with this prefix lie too high, by eye and by every detector. The offset is the
# mean difference to the reference weights, in pixels of 80, x and y.
MISPLACED, OFFSET = "_", (-0.5, 27.6)
HELD_OUT = 8  # every eighth of the well-placed faces is not for training


@dataclass(frozen=True)
class Marked:
    """`images` (N, S, S, 3) uint8 BGR, a face in the middle; `points` (N, 5, 2) of them.

    Points are fractions of the side: left eye, right eye, nose, left and right corner of the mouth,
    from the viewer's side; NaN if unknown.
    """

    images: U8
    points: NDArray[np.float32]

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the faces that are `chosen`, bool (N,)."""
        return type(self)(self.images[chosen], self.points[chosen])

    def split(self) -> tuple[Self, Self]:
        """Return the training part, and every eighth face."""
        apart = np.arange(len(self.images)) % HELD_OUT == 0
        return self.part(~apart), self.part(apart)

    def known(self) -> Self:
        """Return the faces with known points."""
        known = ~np.isnan(self.points).any(axis=(1, 2))
        return self.part(np.asarray(known))


def read(path: Path) -> tuple[Marked, Marked]:
    """Return the faces with well-placed points, and those with moved points."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("landmarks.txt").decode().splitlines()
        well = _faces(archive, [line for line in lines if not line.startswith(MISPLACED)])
        high = _faces(archive, [line for line in lines if line.startswith(MISPLACED)])
    offset = np.array(OFFSET, np.float32) / high.images.shape[1]
    return well, Marked(high.images, high.points + offset)


def _faces(archive: zipfile.ZipFile, lines: list[str]) -> Marked:
    rows = [line.split() for line in lines]
    images = np.stack([decode(archive.read(f"faces/{name}"), name) for name, *_ in rows])
    points = np.array([numbers for _, *numbers in rows], np.float32).reshape(-1, 5, 2)
    return Marked(images, (points + np.float32(0.5)) / images.shape[1])


def training(path: Path) -> tuple[Marked, Marked]:
    """Return both sets without the held-out faces."""
    well, moved = read(path)
    return well.split()[0], moved


def held_out(path: Path) -> Marked:
    """Return well-placed faces for evaluation."""
    return read(path)[0].split()[1]
