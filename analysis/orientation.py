"""Quarter turns of images whose faces are not upright."""

import numpy as np

from analysis.pose import rolls
from analysis.types import Detections
from engines.types import F32, U8

# Turns to try besides none, in degrees clockwise.
TURNS = (90, 180, 270)
# Largest roll of an upright face, in degrees.
MOST_ROLL = 45.0
# Lowest score of a face that shows that the image is upright. The detector also finds lying faces,
# often with lower scores and with the landmarks of an upright face: see docs/LOG.md.
SURE = 0.95


def evidence(faces: Detections) -> float:
    """Return the sum of the scores of the upright faces."""
    return float(_upright_scores(faces).sum())


def sure(faces: Detections) -> bool:
    """Return whether an upright face has a score of at least `SURE`."""
    return bool((_upright_scores(faces) >= SURE).any())


def _upright_scores(faces: Detections) -> F32:
    return faces.scores[np.abs(rolls(faces.landmarks)) <= MOST_ROLL]


def turned(pixels: U8, degrees: int) -> U8:
    """Turn pixels (h, w, 3) clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, -degrees // 90))


def turned_back(faces: Detections, degrees: int, width: int, height: int) -> Detections:
    """Map faces found in a `turned` image to the image before the turn, `width` x `height`."""
    corners, landmarks = faces.boxes.reshape(-1, 2, 2), faces.landmarks
    for quarter in reversed(range(degrees // 90)):
        length = width if quarter % 2 else height
        corners, landmarks = (_quarter_back(each, length) for each in (corners, landmarks))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detections(boxes, landmarks, faces.scores)


def _quarter_back(points: F32, length: int) -> F32:
    """Undo a quarter turn clockwise of an image that was `length` pixels high."""
    return np.stack([points[..., 1], length - points[..., 0]], axis=-1)
