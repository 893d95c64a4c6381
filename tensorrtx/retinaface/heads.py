"""RetinaFace's heads: a row of numbers per anchor (Deng et al., 2019)."""

import numpy as np
from numpy.typing import NDArray

from tensorrtx.retinaface.layers import Layers

ANCHORS = 2  # per position, of different sizes
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
Weight = NDArray[np.float32]


def rows(layers: Layers, maps: list[str], channels: int, raw: bool) -> str:
    """Three maps -> (N, anchors, values), finest map first, in the order row, column, anchor.

    Values: 4 of the box, 10 of the landmarks, then, if ``raw``, the logits of background and face.
    Otherwise the variances are folded in, and there is one logit, face minus background: its
    sigmoid equals the softmax of the two. The three heads are one convolution with joined weights.
    """
    parts = [_level(layers, x, index, channels, raw) for index, x in enumerate(maps)]
    return layers.graph.node("Concat", *parts, axis=1)


def _level(layers: Layers, x: str, level: int, channels: int, raw: bool) -> str:
    heads = [
        _head(layers, f"{name}Head.{level}.conv1x1", values, channels)
        for name, values in (("Bbox", 4), ("Landmark", 10), ("Class", 2))
    ]
    if not raw:
        heads = _simplify(*heads)
    joined = np.concatenate(heads, axis=1)
    values = joined.shape[1]
    flat = joined.reshape(ANCHORS * values, channels + 1)
    y = layers.graph.conv(f"heads.{level}", x, flat[:, :-1, None, None], bias=flat[:, -1])
    y = layers.graph.node("Transpose", y, perm=[0, 2, 3, 1])
    return layers.graph.node("Reshape", y, layers.graph.numbers(0, -1, values))


def _head(layers: Layers, name: str, values: int, channels: int) -> Weight:
    """A head's kernel with its bias as last column: (anchors, values, channels + 1)."""
    kernel = layers.weights.take(f"{name}.weight", (ANCHORS * values, channels, 1, 1))
    bias = layers.weights.take(f"{name}.bias", (ANCHORS * values,))
    return np.column_stack([kernel[:, :, 0, 0], bias]).reshape(ANCHORS, values, channels + 1)


def _simplify(box: Weight, landmarks: Weight, classes: Weight) -> list[Weight]:
    variances = np.array([CENTRE_VARIANCE] * 2 + [SIZE_VARIANCE] * 2)[:, None]
    return [box * variances, landmarks * CENTRE_VARIANCE, classes[:, 1:] - classes[:, :1]]
