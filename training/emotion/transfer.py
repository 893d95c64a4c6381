"""MobileFaceNet as an emotion network: a trunk that knows faces already, and where it comes from.

A network that tells people apart has learnt eyes, brows and mouths from millions of faces; FER-2013
has 28,709. Begun with such a trunk, the first pass over them gives what 24 passes give from random
weights (`docs/LOG.md`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from tensorrtx import wts
from tensorrtx.arcface.mobilefacenet import EPSILON, HEAD, STEM, Block, blocks
from tensorrtx.layers import batch_norm

F32 = npt.NDArray[np.float32]
STATISTICS = ("gamma", "beta", "moving_mean", "moving_var")
# What a standardised face (unit deviation) is scaled by: the deviation of the crops that the trunk
# was trained on, as (x - 127.5) / 128.
DEVIATION = 0.45
# The last layer that the branches of a network share: in the middle of a block.
FORK = "dconv_34_conv_dw_relu"
BLOCKS = tuple(blocks())
FORKED = next(index for index, block in enumerate(BLOCKS) if FORK.startswith(block.name))
# What the names of a second branch's layers begin with.
SECOND = "second_"
# Rows of a picture enlarged twice, bilinearly, as shares of its own rows: those that a kernel of
# three at every second row sees of it are made of the three rows about one.
ENLARGED = np.array([[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])


@keras.saving.register_keras_serializable("emotions")
class Slope(layers.Layer):  # type: ignore[misc]
    """PReLU with a slope a channel, (N, H, W, C) float: `max(x, 0) + slope * min(x, 0)`."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the slopes, 0.25 each (He et al., arXiv 1502.01852)."""
        start = keras.initializers.Constant(0.25)
        self.slope = self.add_weight(shape=(input_shape[-1],), initializer=start, name="slope")

    def call(self, x: Any) -> Any:
        """Scale what is negative."""
        above = ops.relu(x)  # once: its gradient costs a pass over the maps
        return above + self.slope * (x - above)


@keras.saving.register_keras_serializable("emotions")
class PlacedMean(layers.Layer):  # type: ignore[misc]
    """(N, places, places, C) float -> (N, C): the mean, of each place as much as it counts.

    Every place of every channel counts once to begin with. It is a depth-wise convolution as large
    as the maps, which MobileFaceNet ends in, of weights that move as those of other layers do.
    """

    def __init__(self, places: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places = places

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        shape = (self.places, self.places, input_shape[-1])
        self.counts = self.add_weight(shape=shape, initializer="ones", name="counts")

    def call(self, x: Any) -> Any:
        """Weigh and average."""
        return ops.mean(x * self.counts, axis=(1, 2))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return one number a channel."""
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), "places": self.places}


def mobileface_body(x: Any, branches: int = 1, *, maps: int = 0) -> Any:
    """(N, H, W, 1), unit deviation -> (N, 512 * branches): MobileFaceNet on faces enlarged twice.

    The first convolution goes over every pixel instead of every second one, which is the same as
    enlarging faces of 48 pixels to 96 before it. Normalisations are folded into the convolutions.
    The depth-wise 7x7 at the end, which sees where on the face a feature lies, gives way to a mean.
    Two ``branches`` have the layers up to `FORK` in common, see `training.emotion.join`.

    With the side of its last ``maps``, faces come at twice the side: the first convolution sees
    6x6 pixels where it saw 3x3, at every second one, and the mean is a `PlacedMean`.
    """
    shared = _trunk(x, fine=maps > 0)
    features = [_branch(shared, name, maps) for name in ("", SECOND)[:branches]]
    return layers.Concatenate()(features) if branches > 1 else features[0]


def last_maps(side: int) -> int:
    """Return the side of the last maps of a network that halves faces of ``side`` pixels first."""
    return -(-side // 16)


def spread(kernel: F32) -> F32:
    """A first kernel (3, 3, …) -> (6, 6, …), which does on a face of twice the side what it did."""
    return np.asarray(kernel.repeat(2, axis=0).repeat(2, axis=1))


def load_trunk(model: keras.Model, path: Path) -> None:
    """Fill the trunk of `model` from InsightFace's MobileFaceNet, a `.wts` file of tensorrtx.

    Both branches of a network of two begin with the same.

    Raises `KeyError` for a missing tensor and `ValueError` for one of the wrong size.
    """
    tensors = wts.read(path)
    for layer in model.layers:
        if isinstance(layer, Slope):
            layer.set_weights([tensors[f"{_named(layer)}_gamma"]])
        elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            layer.set_weights(_folded(tensors, layer))


def _folded(tensors: dict[str, F32], layer: layers.Layer) -> list[F32]:
    """A convolution's kernel and bias with its normalisation in them, as Keras lays them out."""
    name = _named(layer)
    norm = f"{name}_batchnorm"
    gamma, beta, mean, variance = (tensors[f"{norm}_{part}"] for part in STATISTICS)
    scale, shift = batch_norm(gamma, beta, mean, variance, EPSILON)
    side = min(layer.kernel_size[0], 3)
    kernel = tensors[f"{name}_conv2d_weight"].reshape(len(scale), -1, side, side)
    kernel = np.asarray(kernel * scale[:, None, None, None], np.float32)
    deep = isinstance(layer, layers.DepthwiseConv2D)
    kernel = kernel.transpose(2, 3, 0, 1) if deep else kernel.transpose(2, 3, 1, 0)
    if name == "conv_1":
        kernel = _stem(kernel)
    return [kernel if layer.kernel_size[0] == side else spread(kernel), shift]


def _named(layer: layers.Layer) -> str:
    """The layer's name in InsightFace's network."""
    return str(layer.name).removeprefix(SECOND)


def _stem(kernel: F32) -> F32:
    """A kernel (3, 3, RGB, out) at every second pixel of an enlarged face -> (3, 3, 1, out)."""
    grey = kernel.sum(axis=2, keepdims=True) * DEVIATION
    return np.asarray(np.einsum("ay,abio,bx->yxio", ENLARGED, grey, ENLARGED), np.float32)


def _trunk(x: Any, *, fine: bool) -> Any:
    """The layers up to `FORK`."""
    if fine:  # four pixels for one: so its kernel begins, and learns, as the one of every pixel
        x = _conv(layers.Rescaling(0.25)(x), "conv_1", STEM, 6, strides=2)
    else:
        x = _conv(x, "conv_1", STEM, 3)
    x = _depthwise(x, "conv_2_dw")
    for block in BLOCKS[:FORKED]:
        x = _projected(_widened(x, block), x, block)
    return _widened(x, BLOCKS[FORKED])


def _branch(x: Any, branch: str, maps: int) -> Any:
    """The layers behind `FORK`, and the mean of their last maps."""
    x = _projected(x, x, BLOCKS[FORKED], branch)  # halves the maps, so it adds no input
    for block in BLOCKS[FORKED + 1 :]:
        x = _projected(_widened(x, block, branch), x, block, branch)
    x = _conv(x, f"{branch}conv_6sep", HEAD, 1)
    if maps:
        return PlacedMean(maps, name=f"{branch}places")(x)
    return layers.GlobalAveragePooling2D()(x)


def _widened(x: Any, block: Block, branch: str = "") -> Any:
    """The first half of a block."""
    name, (_, wide, _), stride = block
    x = _conv(x, f"{branch}{name}_conv_sep", wide, 1)
    return _depthwise(x, f"{branch}{name}_conv_dw", stride)


def _projected(wide: Any, x: Any, block: Block, branch: str = "") -> Any:
    """The second half of a block whose input was ``x``."""
    name, (_, _, out), stride = block
    y = layers.Conv2D(out, 1, name=f"{branch}{name}_conv_proj")(wide)
    return layers.Add()([x, y]) if stride == 1 else y


def _conv(x: Any, name: str, filters: int, side: int, strides: int = 1) -> Any:
    x = layers.Conv2D(filters, side, strides, padding="same", name=name)(x)
    return Slope(name=f"{name}_relu")(x)


def _depthwise(x: Any, name: str, strides: int = 1) -> Any:
    if strides == 1:
        x = layers.DepthwiseConv2D(3, padding="same", name=name)(x)
    else:  # Keras pads even sides at the end alone; the weights expect a pixel on either side
        x = layers.DepthwiseConv2D(3, strides, name=name)(layers.ZeroPadding2D(1)(x))
    return Slope(name=f"{name}_relu")(x)
