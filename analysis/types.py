"""The values that pass between the stages of an analysis, from an input to its result."""

from typing import Literal, NamedTuple

import numpy as np

from analysis.errors import ServiceError
from analysis.timing import Sample
from engines.types import F32, U8

# An image as received: encoded bytes, or upright RGB pixels (height, width, 3).
Source = bytes | U8
# The longer side of the smallest face to find, in pixels of the image; `auto` depends on the size
# of the image, and `fast` detects once in the smallest input.
MinFace = int | Literal["auto", "fast"]
# Whether to trust the orientation that the file states, or to look for upright faces.
Orientation = Literal["exif", "auto"]


class Options(NamedTuple):
    """What a client requests for one image.

    min_score: lowest detector confidence of a face, 0 to 1; max_faces: the largest faces are kept;
    embeddings: also run the embedder; keep_image: also return the upright pixels; min_face,
    orientation: see their types; min_quality: lowest quality of a face, 0 to 1.
    """

    min_score: float = 0.5
    max_faces: int = 100
    embeddings: bool = False
    keep_image: bool = False
    min_face: MinFace = "auto"
    orientation: Orientation = "exif"
    min_quality: float = 0.0


class Input(NamedTuple):
    """An image and the options of its client.

    trusted: False if a device ended while it had the image; the GPU then does not decode it.
    """

    source: Source
    options: Options
    trusted: bool = True


class DetectorInput(NamedTuple):
    """An input of the detector: height and width in pixels, and other heights, rising."""

    size: tuple[int, int]
    heights: tuple[int, ...] = ()


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
    the emotion network's labels; qualities: (K,) float32, see `analysis.quality`; embeddings:
    (K, D) float32, L2-normalised, or None if not requested; image: the upright pixels, RGB
    (height, width, 3) uint8, or None if not requested; a JPEG beyond the pixel limit has fewer
    pixels, in proportion. turned: by how many degrees clockwise, 0, 90, 180 or 270, the image has
    to be turned so that its faces are upright; 0 unless the client requests to find out.
    """

    width: int
    height: int
    faces: Detections
    scores: F32
    qualities: F32
    embeddings: F32 | None = None
    image: U8 | None = None
    turned: int = 0


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
