"""The values that pass between the stages of an analysis."""

from typing import NamedTuple

import numpy as np

from engines.types import F32, U8

# An image as received: encoded bytes, or upright RGB pixels (height, width, 3).
Source = bytes | U8


class Options(NamedTuple):
    """What a client requests for one image."""

    min_score: float = 0.5
    max_faces: int = 100
    embeddings: bool = False
    keep_image: bool = False


class Detections(NamedTuple):
    """Faces of one image, largest first: boxes (K, 4), landmarks (K, 5, 2), scores (K,).

    Pixels of the image; float32. Landmarks: left eye, right eye, nose, mouth corners, as seen.
    """

    boxes: F32
    landmarks: F32
    scores: F32

    def scaled(self, x: float, y: float) -> "Detections":
        """The same faces in an image `x` times as wide and `y` times as high."""
        factor = np.array([x, y], np.float32)
        return Detections(self.boxes * np.tile(factor, 2), self.landmarks * factor, self.scores)


class Analysis(NamedTuple):
    """Result of one image: its upright size, its faces, and one row of scores per face.

    scores: (K, 7) float32, a softmax over the emotion network's labels; embeddings: (K, D)
    float32, L2-normalised, or None if not requested; image: the upright pixels, RGB
    (height, width, 3) uint8, or None if not requested.
    """

    width: int
    height: int
    faces: Detections
    scores: F32
    embeddings: F32 | None = None
    image: U8 | None = None
