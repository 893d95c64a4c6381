"""Photographs of a zip archive, decoded once."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.types import U8
from training.errors import TrainingError


def decode_archive(path: Path, limit: int | None = None) -> NDArray[np.uint8]:
    """Decode the JPEGs of an archive by name: (N, H, W, 3) uint8 BGR, all of one size.

    `limit` takes that many, evenly spaced. Raises `TrainingError` for a damaged picture.
    """
    with zipfile.ZipFile(path) as archive:
        names = names_in(archive)
        chosen = names if limit is None else names[:: max(1, len(names) // limit)][:limit]
        return np.stack([decode(archive.read(name), name) for name in chosen])


def names_in(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the JPEGs in the archive, sorted."""
    return sorted(name for name in archive.namelist() if name.endswith(".jpg"))


def decode(data: bytes, name: str) -> U8:
    """Decode a picture to (H, W, 3) uint8 BGR."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise TrainingError(f"{name} is not a picture")
    return np.asarray(image, np.uint8)


@dataclass(frozen=True)
class Pictures:
    """`faces` (N, 250, 250, 3) with one person in the middle; `backgrounds` (M, 100, 100, 3)."""

    faces: NDArray[np.uint8]
    backgrounds: NDArray[np.uint8]

    @classmethod
    def load(cls, folder: Path, limit: int | None = None) -> Self:
        """Read `faces_unlabelled.zip` and `backgrounds.zip` of `folder`."""
        names = ("faces_unlabelled.zip", "backgrounds.zip")
        return cls(*(decode_archive(folder / name, limit) for name in names))

    def split(self, held_out: float = 0.1) -> tuple[Self, Self]:
        """Return the training part, and the last `held_out` share of faces and backgrounds."""
        faces = round(len(self.faces) * (1 - held_out))
        backgrounds = round(len(self.backgrounds) * (1 - held_out))
        return (
            type(self)(self.faces[:faces], self.backgrounds[:backgrounds]),
            type(self)(self.faces[faces:], self.backgrounds[backgrounds:]),
        )
