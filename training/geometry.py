"""The geometry of the service for one image at a time, as training uses it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from analysis.crops import ARCFACE_TEMPLATE, arcface_crops, similarities
from analysis.detection import Letterbox, fill, fit
from analysis.landmarks import Locate, place_landmarks
from analysis.types import DetectorInput
from engines.backends.onnxruntime import session
from engines.types import F32, F64, U8, Array


def letterbox(
    image: U8, size: tuple[int, int], heights: Sequence[int] = ()
) -> tuple[U8, Letterbox]:
    """Return the input of the detector, and the place of the image in it; see `fit`."""
    box, shape = fit(image.shape[1], image.shape[0], DetectorInput(size, tuple(heights)))
    canvas = np.empty(shape, np.uint8)
    fill(image, box, canvas)
    return canvas, box


def similarity(points: Array, target: F64 = ARCFACE_TEMPLATE) -> F64:
    """Return the matrix (2, 3) that maps the points (5, 2) of one face to `target`."""
    (matrix,) = similarities(points[None], target)
    return np.asarray(matrix)


def arcface_crop(image: U8, points: Array) -> U8:
    """Return the input of the embedder (112, 112, 3) for one face."""
    (crop,) = arcface_crops(image, points[None])
    return crop


@cache
def locate(network: Path) -> Locate:
    """Open a landmark network, an ONNX file."""
    opened = session(network)
    (source,) = opened.get_inputs()

    def run(crops: U8) -> Array:
        (offsets,) = opened.run(None, {source.name: crops})
        return np.asarray(offsets)

    return run


def place(network: Path, image: U8, guesses: Array) -> F32:
    """Refine the landmarks (K, 5, 2) of one image with the network of an ONNX file."""
    (points,) = place_landmarks(locate(network), [image], [guesses])
    return points
