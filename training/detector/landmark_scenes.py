"""Scenes with known landmarks: annotated faces in pictures without faces."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.landmarks import eyes
from engines.types import F32, U8
from training.detector.annotated import Marked
from training.detector.detections import Detections
from training.detector.matching import match
from training.detector.paste import FACE_SIZE, Placement, paste
from training.detector.pictures import Pictures
from training.detector.scenes import backdrop

SIDES = (320, 640)  # sides of the scenes: of small faces and of larger ones
CELLS = 2  # faces in a row and in a column
EYES_SHARE = 0.166  # distance of the eyes over the side, in a photograph of `paste.FACE_SIZE`
SMALLEST = 0.25  # side of a picture over the side of its cell


def of_face(faces: Detections, points: F32) -> F32:
    """Return the landmarks (1, 5, 2) of the face that fits `points` (5, 2) best, or (0, 5, 2)."""
    width, height = (eyes(points) * share / EYES_SHARE / 2 for share in FACE_SIZE)
    x, y = points.mean(0)
    nominal = np.array([[x - width, y - height, x + width, y + height]], np.float32)
    (found,) = match(faces.boxes, nominal)
    return faces.landmarks[found : found + 1] if found >= 0 else faces.landmarks[:0]


def seen(
    find: Callable[[U8], Detections], people: Marked, pictures: Pictures, size: int, seed: int
) -> Iterator[tuple[U8, F32, F32]]:
    """Yield per face of `scenes` the picture, detected landmarks and annotated landmarks."""
    for image, truth in scenes(people, pictures, size, seed):
        faces = find(image)
        for points in truth:
            yield image, of_face(faces, points), points


def scenes(
    people: Marked, pictures: Pictures, size: int, seed: int
) -> Iterator[tuple[U8, list[NDArray[np.float32]]]]:
    """Yield pictures of `size` pixels with four faces, turned by up to 20 degrees, and points."""
    rng, cell = np.random.default_rng(seed), size / CELLS
    for start in range(0, len(people.images), CELLS**2):
        image, points = backdrop(pictures, size, rng), []
        part = slice(start, start + CELLS**2)
        pairs = zip(people.images[part], people.points[part], strict=True)
        for place, (photo, fractions) in enumerate(pairs):
            middle = ((place % CELLS + 0.5) * cell, (place // CELLS + 0.5) * cell)
            side = cell * float(np.exp(rng.uniform(np.log(SMALLEST), 0)))
            where = Placement(middle, side, float(rng.uniform(-20, 20)))
            paste(image, photo, where)
            points.append(where.locate(fractions))
        yield image, points
