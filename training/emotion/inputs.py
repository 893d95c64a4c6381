"""The input of the networks: a view of a face, resampled and standardised."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from analysis.evaluation.fer2013 import SIDE
from training.emotion.recipe import View

Indices = npt.NDArray[np.int64]
PLAIN = View()


def pixels(*, free: bool) -> Any:
    """Return the input layer: faces of 48 pixels, or of any side with ``free``."""
    side = None if free else SIDE
    return layers.Input((side, side), dtype="uint8", name="faces")


def seen(side: int, view: View = PLAIN) -> tuple[Any, Any]:
    """Return the input layer and the standardised view of it, ``side`` pixels large.

    With a side of 48 and the plain view, the input takes faces of any side without resampling.
    """
    plain = side == SIDE and view == PLAIN
    faces = pixels(free=plain)
    shown = faces if plain else Resampled(side, view, name="resampled")(faces)
    return faces, Standardize(name="standardize")(shown)


@keras.saving.register_keras_serializable("emotions")
class Standardize(layers.Layer):  # type: ignore[misc]
    """Pixels uint8 (N, H, W) -> float32 (N, H, W, 1), zero mean and unit deviation per face.

    This removes exposure and contrast: a face in a dark scene looks like one in daylight. The
    epsilon (the square of 2.5 grey levels) keeps a flat image finite.
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

    A network whose training ended on smaller images keeps reading such images.
    """

    def __init__(self, side: int, view: View = PLAIN, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.side, self.view = side, view

    def call(self, faces: Any) -> Any:
        """Repeat rows so that a whole number of them makes one output row; then the same by column.

        A matrix product would do both, but the conversion to low precision would take it for the
        first layer with weights and round the pixels before it.
        """
        rows, columns = sampling(self.side, self.view)
        each = len(rows) // self.side
        pixels = ops.expand_dims(ops.cast(faces, "float32"), -1)
        low = _mean(ops.take(pixels, rows, axis=1), (each, 1))
        return ops.squeeze(_mean(ops.take(low, columns, axis=2), (1, each)), -1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with the side."""
        return (input_shape[0], self.side, self.side)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "side": self.side, "view": asdict(self.view)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Resampled:
        """Return the layer with the arguments of ``get_config``."""
        return cls(**{**config, "view": View(**config["view"])})


def sampling(side: int, view: View) -> tuple[Indices, Indices]:
    """Return the indices of the rows and columns of 48 that a view reads.

    Every row of the view is the mean of the same number of indices. Beyond the border, the last row
    or column repeats.
    """
    each = SIDE // math.gcd(side, SIDE)
    at = (np.arange(side * each) + 0.5) / (side * each) - 0.5
    row, column = (
        np.floor(SIDE / 2 + shift + SIDE / view.zoom * at).clip(0, SIDE - 1).astype(np.int64)
        for shift in (-view.up, 0.0)
    )
    return row, column[::-1].copy() if view.mirrored else column


def _mean(pixels: Any, of: tuple[int, int]) -> Any:
    return ops.average_pool(pixels, of, data_format="channels_last")
