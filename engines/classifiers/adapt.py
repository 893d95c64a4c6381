"""Adds to a classifier the steps from a face to its input, and from its output to scores."""

from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto

from engines.classifiers.image import SIDE, Image
from tensorrtx import adopt
from tensorrtx.layers import BATCH, Graph

INPUT = "pixels"  # name of the input of the classifier in an adapted graph


class Pixels(NamedTuple):
    """Input of a model: (grey level 0-255 - mean) / scale; one number, or one per channel."""

    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (255.0,)


def adapted(
    body: onnx.ModelProto, image: Image, pixels: Pixels, classes: int, *, softmax: bool
) -> onnx.ModelProto:
    """Return `faces`, uint8 (N, 48, 48), to `scores`, float32 (N, classes), around a graph.

    A face is resampled linearly to the side of `image`, as `cv2.resize` does, and a grey face is
    repeated in all channels. `pixels` is ignored if the graph takes integers. `softmax` is for a
    graph that gives logits. `body` comes from `tensorrtx.onnx_file.freed`.
    """
    head, tail = _head(image, pixels), _tail(body, classes, softmax=softmax)
    for part in (head, tail):
        part.ir_version = body.ir_version
        del part.opset_import[:]
        part.opset_import.extend(body.opset_import)
    return adopt.join(head, body, tail, {body.graph.output[0].name: "raw"})


def _head(image: Image, pixels: Pixels) -> onnx.ModelProto:
    graph = Graph()
    values = graph.node("Cast", "faces", to=TensorProto.FLOAT)
    values = graph.node("Unsqueeze", values, graph.numbers(1))
    if image.side != SIDE:
        values = _resized(graph, values, image.side)
    if image.channels == 3:
        values = graph.node("Concat", values, values, values, axis=1)
    if image.normalised:
        mean, scale = (np.array(each)[:, None, None] for each in pixels)
        values = graph.node("Sub", values, graph.constant("mean", mean))
        values = graph.node("Div", values, graph.constant("scale", scale))
    axes: tuple[int | str, ...] = (BATCH, max(image.channels, 1), image.side, image.side)
    if not image.channels:
        values = graph.node("Squeeze", values, graph.numbers(1))
        axes = (BATCH, image.side, image.side)
    elif not image.first:
        values = graph.node("Transpose", values, perm=[0, 2, 3, 1])
        axes = (BATCH, image.side, image.side, image.channels)
    values = graph.node("Cast", values, to=image.kind)
    source = ("faces", TensorProto.UINT8, (BATCH, SIDE, SIDE))
    head = graph.model("pixels", source, {INPUT: (values, axes)})
    head.graph.output[0].type.tensor_type.elem_type = image.kind
    return head


def _resized(graph: Graph, values: str, side: int) -> str:
    """Resample to `side`, by a factor because the batch has no fixed size.

    The output has floor(48 factor) pixels, so a factor that float32 rounds down is one step larger.
    Runtimes compute the product in float32 or float64.
    """
    factor = np.float32(side / SIDE)
    if SIDE * float(factor) < side:
        factor = np.nextafter(factor, np.float32(np.inf))
    factors = graph.constant("factors", np.array([1, 1, factor, factor], np.float32))
    return graph.node("Resize", values, "", factors, mode="linear")


def _tail(body: onnx.ModelProto, classes: int, *, softmax: bool) -> onnx.ModelProto:
    graph = Graph()
    scores = graph.node("Cast", "raw", to=TensorProto.FLOAT)
    if softmax:
        scores = graph.node("Softmax", scores, axis=1)
    kind = body.graph.output[0].type.tensor_type.elem_type
    source = ("raw", kind, (BATCH, classes))
    return graph.model("scores", source, {"scores": (scores, (BATCH, classes))})
