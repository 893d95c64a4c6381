"""The image that a classifier takes: its side, channels, their axis, and the type of its values."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper

from engines.errors import ClassifierError
from tensorrtx import onnx_file

SIDE = 48  # of the faces that the service cuts, pixels


class Image(NamedTuple):
    """The only input of a classifier.

    - `side`: in pixels; 48 if the model takes any side.
    - `channels`: 1, 3, or 0 without an axis of channels.
    - `first`: whether the channels come before height and width.
    - `kind`: ONNX's number of the element type.
    """

    side: int
    channels: int
    first: bool
    kind: int

    @property
    def normalised(self) -> bool:
        """Whether pixels are normalised for the model: one that takes integers does it itself."""
        return np.issubdtype(helper.tensor_dtype_to_np_dtype(self.kind), np.floating)


def image(model: onnx.ModelProto, path: Path) -> Image:
    """Return the image that a model takes; `path` is its file, for messages.

    Raises:
        ClassifierError: it has several inputs, or not one square image with one or three channels.
    """
    found = onnx_file.inputs(model)
    if len(found) != 1:
        raise ClassifierError(f"{path} takes {len(found)} inputs, not one image")
    kind = found[0].type.tensor_type.elem_type
    axes = tuple(d.dim_value or None for d in found[0].type.tensor_type.shape.dim)
    first = len(axes) == 4 and axes[1] in {1, 3}
    height, width, channels = _ordered(axes, first=first)
    numeric = np.issubdtype(helper.tensor_dtype_to_np_dtype(kind), np.number)
    if height != width or channels not in {0, 1, 3} or not numeric:
        raise ClassifierError(
            f"{path} takes {_text(axes)}; an emotion network takes one square image "
            "of numbers, (N, C, H, W), (N, H, W, C) or (N, H, W), with one or three channels"
        )
    return Image(height or SIDE, channels or 0, first, kind)


def _text(axes: tuple[int | None, ...]) -> str:
    return f"({', '.join(['N', *(str(size or '*') for size in axes[1:])])})"


def _ordered(
    axes: tuple[int | None, ...], *, first: bool
) -> tuple[int | None, int | None, int | None]:
    """Height, width and channels; None if they are free, -1 channels for other numbers of axes."""
    match axes:
        case (_, height, width):
            return height, width, 0
        case (_, channels, height, width) if first:
            return height, width, channels
        case (_, height, width, channels):
            return height, width, channels
    return None, None, -1
