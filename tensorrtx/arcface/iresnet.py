"""ArcFace's improved residual networks (Deng et al., 2018): LResNet50E-IR, LResNet100E-IR."""

import numpy as np

from tensorrtx.arcface.layers import Layers

EPSILON = 2e-5
DIMENSIONS = 512
SIDE = 7  # of the last map
UNITS = {"r50": (3, 4, 14, 3), "r100": (3, 13, 30, 3)}


def embed(layers: Layers, x: str, units: tuple[int, ...], scale: float) -> str:
    """(N, 3, 112, 112) -> (N, 512)."""
    x = layers.prelu(layers.conv(x, ("conv0", "bn0"), (64, 3, 3), scale=scale), "relu0", 64)
    inner = 64
    for stage, count in enumerate(units, 1):
        out = 32 << stage
        for unit in range(1, count + 1):
            x = _unit(layers, x, f"stage{stage}_unit{unit}", inner, out, first=unit == 1)
            inner = out
    return _head(layers, x, inner)


def _unit(layers: Layers, x: str, name: str, inner: int, out: int, *, first: bool) -> str:
    stride = 2 if first else 1
    # Not folded into the next convolution: that pads with zeros, which must not be shifted.
    y = layers.graph.affine(f"{name}_bn1", x, layers.norm(f"{name}_bn1", inner))
    y = layers.conv(y, (f"{name}_conv1", f"{name}_bn2"), (out, inner, 3))
    y = layers.prelu(y, f"{name}_relu1", out)
    y = layers.conv(y, (f"{name}_conv2", f"{name}_bn3"), (out, out, 3), stride=stride)
    if first:
        x = layers.conv(x, (f"{name}_conv1sc", f"{name}_sc"), (out, inner, 1), stride=stride)
    return layers.graph.node("Add", y, x)


def _head(layers: Layers, x: str, channels: int) -> str:
    """Normalise and project as one layer; dropout is for training only."""
    values = channels * SIDE * SIDE
    norm = layers.norm("bn1", channels)
    kernel = layers.weights.take("pre_fc1_weight", (DIMENSIONS, values))
    bias = layers.weights.take("pre_fc1_bias", (DIMENSIONS,))
    shift = kernel @ np.repeat(norm.shift, SIDE * SIDE)
    return layers.dense(x, kernel * np.repeat(norm.scale, SIDE * SIDE), bias + shift)
