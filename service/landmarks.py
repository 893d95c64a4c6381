"""Landmarks placed by a network of their own, on each face cut out upright.

A detector reads a face's five points from one cell of a coarse map and is a tenth of the eyes'
distance off; this network sees the face itself, and is off by a third of that. See docs/adr/0015.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import WeightsMissing
from engines.onnxruntime import session
from engines.runner import Array
from service.alignment import ARCFACE_SIZE, ARCFACE_TEMPLATE, LEAST_SCALE, similarity, warped

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

SIDE = 64  # of a cutting, pixels
ENLARGED = 1.25  # beyond ArcFace's crop: hair and shoulders say little of where an eye is
# Where the landmarks of a cutting would be were the guess right: around its middle.
TEMPLATE: F64 = (ARCFACE_TEMPLATE - ARCFACE_TEMPLATE.mean(0)) * (ENLARGED * SIDE / ARCFACE_SIZE) + (
    SIDE - 1
) / 2
# Shares of the eyes' distance: what is moved as far is looked at again, from where it was moved to;
# what is moved this far in all is not the face that was found.
AGAIN, FAR = 0.15, 0.5
LOOKS = 2
# Of a cutting beyond its image: with two pixels between the eyes and less there is nothing to see.
MOST_ENLARGED = np.ptp(TEMPLATE[:2, 0]) / 2

OTHER = "does not place landmarks; name an entry that does by EMOTIONS_LANDMARKS, or none"


def eyes(points: NDArray[Any]) -> float:
    """Give the distance of the eyes were the face of `points` (5, 2) frontal, in their unit.

    It is taken from the spread of all five, which a turn of the head does not close up.
    """
    return float(np.sqrt(points.var(0).sum() / TEMPLATE.var(0).sum()) * np.ptp(TEMPLATE[:2, 0]))


def frame(guess: NDArray[Any]) -> F64:
    """Give the matrix (2, 3) from an image's pixels to a cutting's for landmarks `guess` (5, 2)."""
    return similarity(np.asarray(guess, np.float64), TEMPLATE)


def placed(network: Path, image: U8, guesses: Array) -> F32:
    """Place the landmarks of faces that a detector saw.

    Args:
        network: ONNX, from uint8 (N, 64, 64, 3) to (N, 5, 2) pixels from `TEMPLATE`.
        image: RGB (h, w, 3).
        guesses: (K, 5, 2), pixels, whose middles end in a half.

    Returns:
        (K, 5, 2); a guess is kept where its face is too small or another one was marked.
    """
    faces = [_placed(network, image, guess) for guess in guesses]
    return np.array(faces, np.float32).reshape(guesses.shape)


def _placed(network: Path, image: U8, guess: Array) -> Array:
    apart, points = eyes(guess), guess
    for _ in range(LOOKS):
        last, points = points, look(network, image, points)
        if _distance(last, points) < AGAIN * apart:
            break
    return points if _distance(guess, points) < FAR * apart else guess


def look(network: Path, image: U8, guess: Array) -> Array:
    """Place the landmarks of one face once, however far from `guess` (5, 2).

    The guess is given back where it is no face: too small, or points without a size or place.
    """
    if not np.isfinite(guess).all():
        return guess
    matrix = frame(guess - 0.5)  # OpenCV has the middle of a pixel at the whole number
    if not LEAST_SCALE < np.hypot(*matrix[:, 0]) < MOST_ENLARGED:
        return guess
    crop = warped(image, matrix, SIDE)
    # One face at a time: what a face gets does not depend on who is beside it.
    (moved,) = _network(network).run(None, {"faces": crop[None]})
    points = (TEMPLATE + moved[0] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return np.asarray(points + 0.5, np.float64)


def _distance(points: Array, others: Array) -> float:
    return float(np.linalg.norm(points - others, axis=1).mean())


def warm(network: Path | None) -> None:
    """Load `network` and run it once, since the first run is the slowest.

    Raises:
        WeightsMissing: it is not a network of this kind.
    """
    if network is None:
        return
    try:
        (moved,) = _network(network).run(None, {"faces": np.zeros((1, SIDE, SIDE, 3), np.uint8)})
    except Exception as error:  # the library raises a family of its own without a common base
        raise WeightsMissing(f"{network} {OTHER} ({error})") from error
    if moved.shape != (1, *TEMPLATE.shape):
        raise WeightsMissing(f"{network} {OTHER} (it gives {moved.shape})")


_network = cache(session)
