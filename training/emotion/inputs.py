"""What networks see of a face: a view of it, resampled to a side, at one exposure and contrast."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from engines.fer2013 import SIDE
from training.emotion.recipe import View

PLAIN = View()


def pixels(*, free: bool) -> Any:
    """The input: faces of 48 pixels, or of any side where ``free``."""
    side = None if free else SIDE
    return layers.Input((side, side), dtype="uint8", name="faces")


def seen(side: int, view: View = PLAIN) -> tuple[Any, Any]:
    """The input, and what a network is to see of it: its view of a face, ``side`` pixels large.

    At the side of the input and without a view of its own it sees faces of any side as they are.
    """
    plain = side == SIDE and view == PLAIN
    faces = pixels(free=plain)
    shown = faces if plain else Resampled(side, view, name="resampled")(faces)
    return faces, Standardize(name="standardize")(shown)


@keras.saving.register_keras_serializable("emotions")
class Standardize(layers.Layer):  # type: ignore[misc]
    """Pixels uint8 (N, H, W) -> float32 (N, H, W, 1), zero mean and unit deviation a face.

    Standardising each face by itself takes exposure and contrast out of the
    question: a face in a dark scene arrives like one in daylight. The epsilon
    (2.5 grey levels, squared) keeps a flat image finite.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def call(self, faces: Any) -> Any:
        """Return the standardised faces with a channel axis."""
        pixels = ops.expand_dims(ops.cast(faces, "float32") / 255.0, -1)
        centred = pixels - ops.mean(pixels, axis=(1, 2), keepdims=True)
        variance = ops.mean(centred * centred, axis=(1, 2), keepdims=True)
        return centred * ops.rsqrt(variance + 1e-4)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with a channel axis."""
        return (*input_shape, 1)


@keras.saving.register_keras_serializable("emotions")
class Resampled(layers.Layer):  # type: ignore[misc]
    """Pixels uint8 (N, 48, 48) -> float32 (N, side, side), each the mean of the area it covers.

    A network whose training ended on smaller images is shown what it has learnt to read. Two
    products with constant matrices, which every engine knows and which cost next to nothing.
    """

    def __init__(self, side: int, view: View = PLAIN, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.side, self.view = side, view

    def call(self, faces: Any) -> Any:
        """Resample rows, then columns."""
        rows, columns = sampling(self.side, self.view)
        pixels = ops.matmul(rows, ops.cast(faces, "float32"))
        # With an axis for the faces, or Keras makes a product over one long matrix of it.
        return ops.matmul(pixels, columns.T[None])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with the side."""
        return (input_shape[0], self.side, self.side)


def sampling(side: int, view: View) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return what a view's rows, and its columns, have of an image's 48: two float32 (side, 48)."""
    rows = _areas(side, view.zoom, -view.up)
    columns = _areas(side, view.zoom, 0.0)
    return rows, columns[::-1] if view.mirrored else columns


def _areas(side: int, zoom: float, shift: float) -> npt.NDArray[np.float32]:
    """Rows of ``side`` pixels as shares of 48, which go on for ever where the image ends."""
    width = SIDE / zoom
    edges = SIDE / 2 + shift + width * (np.arange(side + 1) / side - 0.5)
    first, last = np.arange(SIDE, dtype=float), np.arange(1, SIDE + 1, dtype=float)
    first[0], last[-1] = -np.inf, np.inf
    covered = np.minimum(edges[1:, None], last) - np.maximum(edges[:-1, None], first)
    return np.asarray(covered.clip(0) * side / width, np.float32)
