"""Pastes a photograph into a scene: scaled, turned, and blended at its border."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.types import U8

# Box of the face in a photograph of LFW: centre and size as fractions of the side.
FACE_CENTRE = (0.5, 0.51)
FACE_SIZE = (0.34, 0.45)
FEATHER = 0.12  # width of the blended border over half of the side
MARGIN = 2.0  # extra pixels around the region of a turned patch
Box = tuple[float, float, float, float]  # x1 y1 x2 y2


@dataclass(frozen=True)
class Placement:
    """Place of a photograph: centre (x, y) and side in pixels, angle in degrees."""

    centre: tuple[float, float]
    side: float
    angle: float = 0.0

    def locate(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return scene pixels of `points` (N, 2), which are fractions of the side."""
        turn = np.deg2rad(self.angle)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        turned = np.array(self.centre) + self.side * (points - 0.5) @ rotation.T
        return np.asarray(turned, np.float32)

    def face(self) -> Box:
        """Return the nominal box of the face, upright around its turned centre."""
        x, y = (float(value) for value in self.locate(np.array([FACE_CENTRE]))[0])
        width, height = (self.side * fraction / 2 for fraction in FACE_SIZE)
        return (x - width, y - height, x + width, y + height)

    def square(self) -> Box:
        """Return the area of the photograph, unturned."""
        (x, y), half = self.centre, self.side / 2
        return (x - half, y - half, x + half, y + half)


def shared(box: Box, other: Box) -> float:
    """Return the share of the area of `box` that lies in `other`."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0) * max(height, 0) / ((box[2] - box[0]) * (box[3] - box[1]))


@cache
def mask(kind: str, side: int) -> NDArray[np.float32]:
    """Return blending weights (side, side) in [0, 1]: for all of a photograph, or the head."""
    axis = np.abs((np.arange(side) + 0.5) / side - 0.5) * 2
    if kind == "whole":
        distance = np.maximum(axis[:, None], axis[None])
    else:
        distance = np.hypot(axis[:, None] / 0.74, axis[None] / 0.62)
    return np.asarray(np.clip((1 - distance) / FEATHER, 0, 1), np.float32)


def paste(scene: U8, photo: U8, where: Placement, kind: str = "whole") -> None:
    """Blend the square `photo` into `scene` in place, clipped at the borders."""
    side = min(len(photo), max(4, round(where.side)))
    if side < len(photo):  # area-filtered, so that small faces do not alias
        photo = np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA))
    reach = where.side * 0.7072 + MARGIN
    low = np.maximum(np.floor(np.array(where.centre) - reach), 0).astype(int)
    high = np.minimum(np.ceil(np.array(where.centre) + reach), scene.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, where.angle, where.side / side)
    matrix[:, 2] += np.array(where.centre) - 0.5 - (side - 1) / 2 - low
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    patch = cv2.warpAffine(photo, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    blend = cv2.warpAffine(mask(kind, side), matrix, size)
    region = scene[low[1] : high[1], low[0] : high[0]]
    region[:] = cv2.blendLinear(patch, np.ascontiguousarray(region), blend, 1 - blend)
