"""The values that pass between the stages of an analysis, from an input to its result."""

from typing import NamedTuple

import numpy as np

from analysis.errors import ServiceError
from analysis.timing import Sample
from engines.types import F32, U8

# An image as received: encoded bytes, or upright RGB pixels (height, width, 3).
Source = bytes | U8


class Options(NamedTuple):
    """What a client requests for one image.

    min_score: lowest detector confidence of a face, 0 to 1; max_faces: the largest faces are kept;
    embeddings: also run the embedder; keep_image: also return the upright pixels.
    """

    min_score: float = 0.5
    max_faces: int = 100
    embeddings: bool = False
    keep_image: bool = False


class Input(NamedTuple):
    """An image and the options of its client."""

    source: Source
    options: Options


class Detections(NamedTuple):
    """Faces of one image, largest first: boxes (K, 4), landmarks (K, 5, 2), scores (K,), float32.

    Boxes are x1, y1, x2, y2 and landmarks x, y, in pixels of the image. The landmarks are left
    eye, right eye, nose, left and right corner of the mouth, where left is left in the image.
    """

    boxes: F32
    landmarks: F32
    scores: F32

    def scaled(self, x: float, y: float) -> "Detections":
        """Return the same faces in an image `x` times as wide and `y` times as high."""
        factor = np.array([x, y], np.float32)
        return Detections(self.boxes * np.tile(factor, 2), self.landmarks * factor, self.scores)


class Analysis(NamedTuple):
    """Faces of one image, with one row of emotion scores and at most one embedding per face.

    width, height: of the whole upright image, in pixels; scores: (K, 7) float32, a softmax over
    the emotion network's labels; embeddings: (K, D) float32, L2-normalised, or None if not
    requested; image: the upright pixels, RGB (height, width, 3) uint8, or None if not
    requested; a JPEG beyond the pixel limit has fewer pixels, in proportion.
    """

    width: int
    height: int
    faces: Detections
    scores: F32
    embeddings: F32 | None = None
    image: U8 | None = None


class Result(NamedTuple):
    """The analysis of one image, or its error, and the time of each stage."""

    outcome: Analysis | ServiceError
    samples: list[Sample]

    def unwrap(self) -> Analysis:
        """Return the analysis.

        Raises:
            ServiceError: the error of the image.
        """
        if isinstance(self.outcome, ServiceError):
            raise self.outcome
        return self.outcome
