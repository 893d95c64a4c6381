"""Landmarks placed by a network of their own, on each face cut out upright.

A detector reads a face's five points from one cell of a coarse map: they are off by a tenth of the
distance between the eyes. This network sees the face itself, and is off by a third of that. See
docs/adr/0015.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.crops import ARCFACE_SIZE, ARCFACE_TEMPLATE, LEAST_SCALE, similarities, warped
from engines.types import F32, F64, U8, Array

SIDE = 64  # pixels of a crop
ENLARGED = 1.25  # beyond ArcFace's crop: hair and shoulders say little about where an eye is
# Where the landmarks of a crop would be if the guess were right: around its middle.
TEMPLATE: F64 = (ARCFACE_TEMPLATE - ARCFACE_TEMPLATE.mean(0)) * (ENLARGED * SIDE / ARCFACE_SIZE) + (
    SIDE - 1
) / 2
# Shares of the distance between the eyes: a face whose landmarks move by the first is looked at
# again from there; one whose landmarks move by the second in all is another face.
AGAIN, FAR = 0.15, 0.5
# A crop is not enlarged further: with two pixels between the eyes there is nothing to see.
MOST_ENLARGED = np.ptp(TEMPLATE[:2, 0]) / 2

# Maps crops (N, 64, 64, 3) uint8 to offsets (N, 5, 2) in pixels from `TEMPLATE`.
Locate = Callable[[U8], Array]


def eyes(points: NDArray[Any]) -> float:
    """Give the distance between the eyes of a frontal face with `points` (5, 2), in their unit.

    It is taken from the spread of all five, which a turn of the head does not close up.
    """
    return float(_eyes(points[None])[0])


def _eyes(points: Array) -> F64:
    spreads = np.asarray(points, np.float64).var(axis=1).sum(axis=1) / TEMPLATE.var(0).sum()
    return np.asarray(np.sqrt(spreads) * np.ptp(TEMPLATE[:2, 0]), np.float64)


def frame(guess: NDArray[Any]) -> F64:
    """Give the matrix (2, 3) from an image's pixels to a crop's for landmarks `guess` (5, 2)."""
    return np.asarray(similarities(guess[None], TEMPLATE)[0], np.float64)


def placed(locate: Locate, images: Sequence[U8], guesses: Sequence[Array]) -> list[F32]:
    """Place the landmarks of the faces that a detector found in each image.

    Args:
        locate: the network, for the faces of all images at once.
        images: RGB (h, w, 3) each.
        guesses: (K, 5, 2) per image, pixels, where the middle of the first pixel is at 0.5.

    Returns:
        (K, 5, 2) per image. A guess is kept where its face is too small or another face was
        marked.
    """
    faces = [image for image, some in zip(images, guesses, strict=True) for _ in some]
    if not faces:
        return [np.zeros((0, 5, 2), np.float32) for _ in guesses]
    first = np.concatenate(guesses).astype(np.float64)
    distances = _eyes(first)
    points = look(locate, faces, first)
    again = np.flatnonzero(_moved(first, points) >= AGAIN * distances)
    if len(again):
        points[again] = look(locate, [faces[int(i)] for i in again], points[again])
    lost = ~(_moved(first, points) < FAR * distances)
    points[lost] = first[lost]
    bounds = np.cumsum([len(some) for some in guesses])[:-1]
    return [part.astype(np.float32) for part in np.split(points, bounds)]


def look(locate: Locate, faces: Sequence[U8], guesses: F64) -> F64:
    """Place the landmarks of one face per image once, however far from `guesses` (K, 5, 2).

    A guess is kept where there is no face: too small, or points without a size or place.
    """
    points = guesses.copy()
    finite: NDArray[np.bool_] = np.all(np.isfinite(guesses), axis=(1, 2))
    # OpenCV has the middle of a pixel at the whole number.
    matrices = similarities(np.where(finite[:, None, None], guesses - 0.5, 0.0), TEMPLATE)
    scales = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    seen = np.flatnonzero(finite & (scales > LEAST_SCALE) & (scales < MOST_ENLARGED)).tolist()
    if not seen:
        return points
    offsets = locate(np.stack([warped(faces[i], matrices[i], SIDE) for i in seen]))
    inverses = np.linalg.inv(matrices[seen, :, :2])
    relative = (TEMPLATE + offsets - matrices[seen, None, :, 2])[..., None, :]
    points[seen] = (relative * inverses[:, None]).sum(axis=3) + 0.5
    return points


def _moved(points: F64, others: F64) -> F64:
    """Mean distance between two sets of landmarks (K, 5, 2)."""
    return np.asarray(np.linalg.norm(points - others, axis=2).mean(axis=1), np.float64)
