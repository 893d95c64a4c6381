"""MobileFaceNet (Chen et al., 2018) as InsightFace trained it: inverted residuals with PReLU."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tensorrtx.arcface.layers import Layers

EPSILON = 1e-3
DIMENSIONS = 128
STEM = 64
HEAD = 512
# Per stage: number in the names, channels inside the first block, which halves the map, number of
# residual blocks after it, channels inside those, channels out.
STAGES = ((23, 128, 4, 128, 64), (34, 256, 6, 256, 128), (45, 512, 2, 256, 128))


class Block(NamedTuple):
    """A 1x1 convolution, a depth-wise one and a 1x1 projection; residual at stride 1.

    The names of its layers begin with `name`; `widths` are the channels in, inside and out.
    """

    name: str
    widths: tuple[int, int, int]
    stride: int


def blocks() -> Iterator[Block]:
    """Yield all blocks in their order."""
    inner = STEM
    for number, wide, residuals, width, out in STAGES:
        yield Block(f"dconv_{number}", (inner, wide, out), 2)
        inner = out
        for index in range(residuals):
            yield Block(f"res_{number % 10}_block{index}", (out, width, out), 1)


def embed(layers: Layers, x: str, scale: float) -> str:
    """(N, 3, 112, 112) -> (N, 128)."""
    x = _conv(layers, x, "conv_1", (STEM, 3, 3), stride=2, scale=scale)
    x = _conv(layers, x, "conv_2_dw", (STEM, 1, 3))
    for block in blocks():
        y = _block(layers, x, block)
        x = layers.graph.node("Add", y, x) if block.stride == 1 else y
    x = _conv(layers, x, "conv_6sep", (HEAD, STAGES[-1][-1], 1))
    x = _linear(layers, x, "conv_6dw7_7", (HEAD, 1, 7), padding=0)
    kernel = layers.weights.take("fc1_weight", (DIMENSIONS, HEAD))
    bias = layers.weights.take("pre_fc1_bias", (DIMENSIONS,))
    return layers.dense(x, kernel.astype(np.float64), bias)


def _block(layers: Layers, x: str, block: Block) -> str:
    name, (inner, wide, out), stride = block
    x = _conv(layers, x, f"{name}_conv_sep", (wide, inner, 1))
    x = _conv(layers, x, f"{name}_conv_dw", (wide, 1, 3), stride=stride)
    return _linear(layers, x, f"{name}_conv_proj", (out, wide, 1))


def _conv(
    layers: Layers,
    x: str,
    name: str,
    shape: tuple[int, int, int],
    *,
    stride: int = 1,
    scale: float = 1.0,
) -> str:
    names = f"{name}_conv2d", f"{name}_batchnorm"
    y = layers.conv(x, names, shape, stride=stride, scale=scale)
    return layers.prelu(y, f"{name}_relu", shape[0])


def _linear(
    layers: Layers,
    x: str,
    name: str,
    shape: tuple[int, int, int],
    *,
    padding: int | None = None,
) -> str:
    return layers.conv(x, (f"{name}_conv2d", f"{name}_batchnorm"), shape, padding=padding)
