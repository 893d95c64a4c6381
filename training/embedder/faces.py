"""Aligned faces from photographs: found by the detector of the service, cropped with a margin."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.crops import ARCFACE_SIZE, ARCFACE_TEMPLATE
from engines.types import U8
from training.geometry import similarity
from training.photographs import middle_faces

MARGIN = 12  # pixels around the crop, for shifted, turned or scaled views
SIDE = ARCFACE_SIZE + 2 * MARGIN
HELD_OUT = 5  # every fifth person


@dataclass(frozen=True)
class Faces:
    """`images` uint8 (N, 136, 136, 3) RGB, and the `names` of their photographs."""

    images: U8
    names: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of `align`."""
        with np.load(path) as file:
            return cls(file["images"], tuple(file["names"].tolist()))

    @property
    def people(self) -> tuple[str, ...]:
        """The person of each face, by the file name; a nameless picture is a person of its own."""
        return tuple(person(name) for name in self.names)

    @property
    def named(self) -> Self:
        """The faces with the name of a person."""
        return self._take([not name.startswith("_") for name in self.names])

    def split(self) -> tuple[Self, Self]:
        """Return the training part, and the faces of every fifth named person."""
        known = sorted(set(self.named.people))
        apart = set(known[HELD_OUT - 1 :: HELD_OUT])
        held_out = [who in apart for who in self.people]
        return self._take([not chosen for chosen in held_out]), self._take(held_out)

    def _take(self, chosen: list[bool]) -> Self:
        names = (name for name, take in zip(self.names, chosen, strict=True) if take)
        return type(self)(self.images[chosen], tuple(names))


def person(name: str) -> str:
    """`Abba_Eban_0001` to `Abba_Eban`; names of `faces_landmarks.zip` begin with `_`."""
    return name if name.startswith("_") else name.rpartition("_")[0]


def align(data: Path, out: Path) -> None:
    """Write the faces that the detector finds in all archives of `data`."""
    faces = [(found.name, cut(found.image, found.landmarks)) for found in middle_faces(data)]
    images, names = np.stack([face for _, face in faces]), np.array([name for name, _ in faces])
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, images=images, names=names)


def cut(image: U8, landmarks: NDArray[np.float32]) -> U8:
    """Align a face as the service does, with a margin around it."""
    matrix = similarity(landmarks, ARCFACE_TEMPLATE + MARGIN)
    face = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(face, np.uint8)
