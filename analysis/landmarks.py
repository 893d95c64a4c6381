"""Landmarks, placed by a separate network on an upright crop of each face.

The detector derives the five points of a face from one cell of a coarse map, with an error of a
tenth of the distance between the eyes. This network sees the face itself, and its error is a third
as large. See docs/adr/0015.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.crops import ARCFACE_SIZE, ARCFACE_TEMPLATE, LEAST_SCALE, similarities, warped
from engines.types import F32, F64, U8, Array

SIDE = 64  # pixels of a crop
# Size of the face relative to ArcFace's crop: larger, because hair and shoulders do not help to
# place an eye.
ENLARGED = 1.25
# The landmarks in a crop if the guess is right, in pixels; their mean is the middle of the crop.
TEMPLATE: F64 = (ARCFACE_TEMPLATE - ARCFACE_TEMPLATE.mean(0)) * (ENLARGED * SIDE / ARCFACE_SIZE) + (
    SIDE - 1
) / 2
# As shares of the distance between the eyes: landmarks that move by `AGAIN` are placed once more,
# from their new position; landmarks that move by `FAR` in total belong to another face.
AGAIN, FAR = 0.15, 0.5
# Maximum scale of a crop: the eyes are then two pixels apart in the image, too few to see anything.
MOST_ENLARGED = np.ptp(TEMPLATE[:2, 0]) / 2

# As shares of a box's side, the root of its area: the distance between the eyes, and how far the
# middle of the landmarks lies below that of the box (medians of upright faces). Eyes closer than
# `UNSURE` are a mean of several orientations: the detector does not know which one is right.
EYES_SHARE, BELOW, UNSURE = 0.37, 0.083, 0.25

# Maps crops (N, 64, 64, 3) uint8 to offsets (N, 5, 2) in pixels from `TEMPLATE`.
Locate = Callable[[U8], Array]


def eyes(points: NDArray[Any]) -> float:
    """Return the distance between the eyes of a frontal face with `points` (5, 2), in their unit.

    It is derived from the spread of all five points, because a turn of the head brings the eyes
    closer together.
    """
    return float(_eyes(points[None])[0])


def _eyes(points: Array) -> F64:
    spreads = np.asarray(points, np.float64).var(axis=1).sum(axis=1) / TEMPLATE.var(0).sum()
    return np.asarray(np.sqrt(spreads) * np.ptp(TEMPLATE[:2, 0]), np.float64)


def settled(boxes: Array, landmarks: Array) -> F32:
    """Replace landmarks of an unsure orientation by those of an upright face in the box.

    boxes: (K, 4) and landmarks: (K, 5, 2), in pixels. Returns landmarks (K, 5, 2).
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 2, 2)
    sides = np.sqrt(np.maximum(np.prod(corners[:, 1] - corners[:, 0], axis=1), 0))
    shape = (TEMPLATE - TEMPLATE.mean(0)) * EYES_SHARE / np.ptp(TEMPLATE[:2, 0]) + (0, BELOW)
    upright = corners.mean(axis=1)[:, None] + shape * sides[:, None, None]
    unsure = _eyes(landmarks) < UNSURE * sides
    return np.where(unsure[:, None, None], upright, landmarks).astype(np.float32)


def frame(guess: NDArray[Any]) -> F64:
    """Return the matrix (2, 3) from image to crop, in pixels, for the landmarks `guess` (5, 2)."""
    return np.asarray(similarities(guess[None], TEMPLATE)[0], np.float64)


def place_landmarks(locate: Locate, images: Sequence[U8], guesses: Sequence[Array]) -> list[F32]:
    """Place the landmarks of the faces that the detector found in each image.

    Args:
        locate: the network; it gets the faces of all images at once.
        images: RGB (h, w, 3) uint8 each.
        guesses: the detector's landmarks, (K, 5, 2) per image, in pixels. The middle of the first
            pixel is at 0.5.

    Returns:
        (K, 5, 2) float32 per image. A guess is kept if its face is too small, or if the network
        placed the landmarks of another face.
    """
    faces = [image for image, some in zip(images, guesses, strict=True) for _ in some]
    if not faces:
        return [np.zeros((0, 5, 2), np.float32) for _ in guesses]
    first = np.concatenate(guesses).astype(np.float64)
    distances = _eyes(first)
    points = place_once(locate, faces, first)
    again = np.flatnonzero(_moved(first, points) >= AGAIN * distances)
    if len(again):
        points[again] = place_once(locate, [faces[int(i)] for i in again], points[again])
    lost = ~(_moved(first, points) < FAR * distances)
    points[lost] = first[lost]
    bounds = np.cumsum([len(some) for some in guesses])[:-1]
    return [part.astype(np.float32) for part in np.split(points, bounds)]


def place_once(locate: Locate, faces: Sequence[U8], guesses: F64) -> F64:
    """Place the landmarks of one face per image in one pass, at any distance from `guesses`.

    faces: K images; guesses: (K, 5, 2). A guess is kept if its face is too small, if it is not
    finite, or if its points coincide.
    """
    points = guesses.copy()
    finite: NDArray[np.bool_] = np.all(np.isfinite(guesses), axis=(1, 2))
    # In OpenCV the middle of the first pixel is at 0.
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
    """Return the mean distance (K,) between two sets of landmarks (K, 5, 2)."""
    return np.asarray(np.linalg.norm(points - others, axis=2).mean(axis=1), np.float64)
