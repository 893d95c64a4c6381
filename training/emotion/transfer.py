"""MobileFaceNet as an emotion network, started from weights for face recognition.

A network that recognises people has learnt eyes, brows and mouths from millions of faces; FER-2013
has 28,709. With such a start the first epoch reaches what takes 24 epochs from random weights
(`docs/LOG.md`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from engines.types import F32
from tensorrtx import wts
from tensorrtx.arcface.mobilefacenet import EPSILON, HEAD, STEM, Block, blocks
from tensorrtx.layers import batch_norm

STATISTICS = ("gamma", "beta", "moving_mean", "moving_var")
# Standardised faces have unit deviation; the crops that the weights were trained on had this one,
# as (x - 127.5) / 128.
DEVIATION = 0.45
# Bilinear enlargement by two: a 3x3 kernel at every second row of the enlarged picture covers three
# rows of the original, with these weights.
ENLARGED = np.array([[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])


@keras.saving.register_keras_serializable("emotions")
class Slope(layers.Layer):  # type: ignore[misc]
    """PReLU with one slope per channel, (N, H, W, C) float: `max(x, 0) + slope * min(x, 0)`."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the slopes, 0.25 each (He et al., arXiv 1502.01852)."""
        start = keras.initializers.Constant(0.25)
        self.slope = self.add_weight(shape=(input_shape[-1],), initializer=start, name="slope")

    def call(self, x: Any) -> Any:
        """Scale negative values."""
        above = ops.relu(x)  # computed once: its gradient costs a pass over the maps
        return above + self.slope * (x - above)


@keras.saving.register_keras_serializable("emotions")
class PlacedMean(layers.Layer):  # type: ignore[misc]
    """(N, places, places, C) float -> (N, C): the mean, weighted per place and channel.

    All weights start at 1. It computes what the last depth-wise convolution of MobileFaceNet
    computes, but its weights move at the rate of the other layers.
    """

    def __init__(self, places: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places = places

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        shape = (self.places, self.places, input_shape[-1])
        self.counts = self.add_weight(shape=shape, initializer="ones", name="counts")

    def call(self, x: Any) -> Any:
        """Weigh and average."""
        return ops.mean(x * self.counts, axis=(1, 2))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the batch and the channels."""
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "places": self.places}


def mobileface_body(x: Any, *, maps: int = 0) -> Any:
    """(N, H, W, 1) with unit deviation -> (N, 512): MobileFaceNet on faces enlarged by two.

    The first convolution has stride 1 instead of 2, which equals enlarging faces of 48 pixels to 96
    before it. Normalisations are folded into the convolutions. A mean replaces the depth-wise 7x7
    convolution at the end.

    With ``maps``, the side of the last maps, the faces come at twice the side: the first
    convolution is 6x6 with stride 2, and the mean is a `PlacedMean`.
    """
    if maps:  # 4 times as many pixels under the kernel: scaled, so that it learns at the same rate
        x = _conv(layers.Rescaling(0.25)(x), "conv_1", STEM, 6, strides=2)
    else:
        x = _conv(x, "conv_1", STEM, 3)
    x = _depthwise(x, "conv_2_dw")
    for block in blocks():
        x = _block(x, block)
    x = _conv(x, "conv_6sep", HEAD, 1)
    return PlacedMean(maps, name="places")(x) if maps else layers.GlobalAveragePooling2D()(x)


def last_maps(side: int) -> int:
    """Return the side of the last maps of a fine network for faces of ``side`` pixels."""
    return -(-side // 16)


def spread(kernel: F32) -> F32:
    """(3, 3, …) -> (6, 6, …): the kernel with the same output on a face of twice the side."""
    return np.asarray(kernel.repeat(2, axis=0).repeat(2, axis=1))


def load_trunk(model: keras.Model, path: Path) -> None:
    """Load InsightFace's MobileFaceNet, a `.wts` file of tensorrtx, into all layers it has.

    Raises `KeyError` for a missing tensor and `ValueError` for one of the wrong size.
    """
    tensors = wts.read(path)
    for layer in model.layers:
        if isinstance(layer, Slope):
            layer.set_weights([tensors[f"{layer.name}_gamma"]])
        elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            layer.set_weights(_folded(tensors, layer))


def _folded(tensors: dict[str, F32], layer: layers.Layer) -> list[F32]:
    """Return kernel and bias of a convolution with its normalisation folded in, in Keras' order."""
    norm = f"{layer.name}_batchnorm"
    gamma, beta, mean, variance = (tensors[f"{norm}_{part}"] for part in STATISTICS)
    scale, shift = batch_norm(gamma, beta, mean, variance, EPSILON)
    side = min(layer.kernel_size[0], 3)
    kernel = tensors[f"{layer.name}_conv2d_weight"].reshape(len(scale), -1, side, side)
    kernel = np.asarray(kernel * scale[:, None, None, None], np.float32)
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
    if layer.name == "conv_1":
        kernel = _stem(kernel)
    return [kernel if layer.kernel_size[0] == side else spread(kernel), shift]


def _stem(kernel: F32) -> F32:
    """(3, 3, RGB, out) with stride 2 on an enlarged face -> (3, 3, 1, out) on the grey face."""
    grey = kernel.sum(axis=2, keepdims=True) * DEVIATION
    return np.asarray(np.einsum("ay,abio,bx->yxio", ENLARGED, grey, ENLARGED), np.float32)


def _block(x: Any, block: Block) -> Any:
    name, (_, wide, out), stride = block
    y = _conv(x, f"{name}_conv_sep", wide, 1)
    y = _depthwise(y, f"{name}_conv_dw", stride)
    y = layers.Conv2D(out, 1, name=f"{name}_conv_proj")(y)
    return layers.Add()([x, y]) if stride == 1 else y


def _conv(x: Any, name: str, filters: int, side: int, strides: int = 1) -> Any:
    x = layers.Conv2D(filters, side, strides, padding="same", name=name)(x)
    return Slope(name=f"{name}_relu")(x)


def _depthwise(x: Any, name: str, strides: int = 1) -> Any:
    if strides == 1:
        x = layers.DepthwiseConv2D(3, padding="same", name=name)(x)
    else:  # Keras pads even sides at their end only; the weights expect one pixel on both sides
        x = layers.DepthwiseConv2D(3, strides, name=name)(layers.ZeroPadding2D(1)(x))
    return Slope(name=f"{name}_relu")(x)
