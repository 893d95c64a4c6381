"""Views of a photograph as films have them: turned heads, other lenses, covered faces."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from engines.types import F64, U8
from training.detector.paste import FACE_CENTRE, FACE_SIZE, Box

# Half the width of the cylinder that stands for a head, as a share of a photograph's side.
HEAD = 0.25
LEAST_YAW, MOST_YAW = 15.0, 45.0  # degrees
SHIFT = 0.22  # largest move of a corner, as a share of the side
COLOURS = 200  # levels of covers, so that none is white
_ANGLES = np.linspace(0, 2 * np.pi, 32, endpoint=False)
# Points (32, 2) on the nominal ellipse of the face, as fractions of the side.
OUTLINE: F64 = np.array(FACE_CENTRE) + np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]) * (
    np.array(FACE_SIZE) / 2
)


@dataclass(frozen=True)
class View:
    """`image` (S, S, 3) uint8 BGR, and the `outline` (N, 2) of its face as fractions of S."""

    image: U8
    outline: F64


Change = Callable[[U8, np.random.Generator], View]


def frontal(photo: U8, rng: np.random.Generator) -> View:  # noqa: ARG001
    """Return the photograph as it is."""
    return View(photo, OUTLINE)


def turned_head(photo: U8, rng: np.random.Generator) -> View:
    """Turn the head by 15 to 45 degrees to one side."""
    return View(turn(photo, float(rng.uniform(LEAST_YAW, MOST_YAW) * rng.choice([-1, 1]))), OUTLINE)


def turn(photo: U8, degrees: float) -> U8:
    """Turn the head to the side, as if the photograph lay on a cylinder around the face.

    A positive angle moves the middle of the face to the left; the background stays where it is.
    """
    side = len(photo)
    across = ((np.arange(side) + 0.5) / side - FACE_CENTRE[0]) / HEAD
    angles = np.arcsin(np.clip(across, -1, 1)) + np.deg2rad(degrees)
    seen = np.where(np.abs(angles) < np.pi / 2, np.sin(angles), np.sign(angles))
    sources = np.where(np.abs(across) < 1, seen, across) * HEAD + FACE_CENTRE[0]
    columns = np.tile((sources * side - 0.5).astype(np.float32), (side, 1))
    rows = np.tile(np.arange(side, dtype=np.float32)[:, None], (1, side))
    border = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.remap(photo, columns, rows, cv2.INTER_LINEAR, borderMode=border))


def perspective(photo: U8, rng: np.random.Generator) -> View:
    """View the photograph from the side, from above or from below."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    moved = (corners + rng.uniform(-SHIFT, SHIFT, (4, 2))).astype(np.float32)
    return project(photo, np.asarray(cv2.getPerspectiveTransform(corners, moved), np.float64))


def squeezed(photo: U8, rng: np.random.Generator) -> View:
    """Squeeze the photograph to 50 to 80 % of its width, seldom of its height."""
    share = rng.uniform(0.5, 0.8)
    x, y = (share, 1.0) if rng.random() < 0.8 else (1.0, share)
    return project(photo, np.array([[x, 0, 0.5 - x / 2], [0, y, 0.5 - y / 2], [0, 0, 1]]))


def project(photo: U8, matrix: F64) -> View:
    """Apply a homography (3, 3) of fractions of the side to the photograph and to its outline."""
    side = len(photo)
    pixels = np.array([[side, 0, -0.5], [0, side, -0.5], [0, 0, 1]])  # from fractions, to centres
    warp = partial(cv2.warpPerspective, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    image = warp(photo, pixels @ matrix @ np.linalg.inv(pixels), (side, side))
    outline = cv2.perspectiveTransform(OUTLINE[None], matrix)[0]
    return View(np.asarray(image), np.asarray(outline, np.float64))


CHANGES: tuple[Change, ...] = (turned_head, perspective, squeezed)


def varied(photo: U8, rng: np.random.Generator) -> U8:
    """Return one of the views above, or the photograph itself half of the time."""
    if rng.random() < 0.5:
        return photo
    return CHANGES[rng.integers(len(CHANGES))](photo, rng).image


def cover(scene: U8, face: Box, rng: np.random.Generator) -> None:
    """Cover a quarter to half of the box `face` from one side with one colour, in place."""
    share, edge = rng.uniform(0.25, 0.5), int(rng.integers(4))
    corners = cv2.boxPoints((*_over(face, share, edge), float(rng.uniform(-15, 15))))
    colour = [int(value) for value in rng.integers(0, COLOURS, 3)]
    cv2.fillConvexPoly(scene, np.round(corners).astype(np.int32), colour, cv2.LINE_AA)


def _over(face: Box, share: float, edge: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return centre and size of a cover over the `share` at the left, right, top or bottom edge."""
    x1, y1, x2, y2 = face
    width, height = x2 - x1, y2 - y1
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    if edge < 2:
        across = (x1 + (share - 1) * width, x2 + (1 - share) * width)[edge]
        return (across, y), (2 * width, 1.4 * height)
    down = (y1 + (share - 1) * height, y2 + (1 - share) * height)[edge - 2]
    return (x, down), (1.4 * width, 2 * height)
