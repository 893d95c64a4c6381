"""ArcFace embeddings (Deng et al., 2018), with the tensor names of wang-xinyu/tensorrtx."""

from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto

from tensorrtx.arcface import iresnet, mobilefacenet
from tensorrtx.arcface.layers import Layers
from tensorrtx.layers import BATCH, Graph
from tensorrtx.weights import Weights

Name = Literal["r50", "r100", "mobilefacenet"]
SIDE = 112
MEAN = 127.5
SMALLEST_NORM = 1e-6
# The classifier used in training.
UNUSED = ("fc7_",)


def build(
    weights: Weights,
    network: Name,
    raw: bool = False,
    scale: float = 128.0,
    mirror: bool = False,
) -> onnx.ModelProto:
    """Return the network for any batch N of aligned faces; D is 512, for MobileFaceNet 128.

    Deployed: ``faces`` uint8 (N, 112, 112, 3) RGB -> ``embedding`` float32 (N, D) of length 1, or 0
    if the network gives 0. Pixels become (x - 127.5) / ``scale`` in the graph. With ``mirror`` the
    embedding is that of the face plus that of its mirror image, as in ArcFace's evaluation
    (deepinsight/insightface, verification.py), for twice the work.
    Raw: ``input`` float32 (N, 3, 112, 112), already normalised -> ``embedding`` of any length.

    Raises:
        WeightsError: a tensor is missing, has another shape, or has no place in the network.
        ValueError: the scale is not positive.
    """
    if not scale > 0:
        raise ValueError(f"scale {scale}: must be positive")
    graph = Graph()
    x = "input" if raw else graph.pixels("faces", (MEAN, MEAN, MEAN))
    x = mirrored(graph, x) if mirror else x
    embedding, dimensions = _embed(graph, weights, network, x, 1.0 if raw else scale)
    embedding = summed(graph, embedding) if mirror else embedding
    weights.finish(UNUSED)
    return graph.model(
        f"arcface_{network}_raw" if raw else f"arcface_{network}",
        ("input", TensorProto.FLOAT, (BATCH, 3, SIDE, SIDE))
        if raw
        else ("faces", TensorProto.UINT8, (BATCH, SIDE, SIDE, 3)),
        {"embedding": (embedding if raw else unit(graph, embedding), (BATCH, dimensions))},
    )


def _embed(graph: Graph, weights: Weights, network: Name, x: str, scale: float) -> tuple[str, int]:
    if network == "mobilefacenet":
        layers = Layers(graph, weights, mobilefacenet.EPSILON)
        return mobilefacenet.embed(layers, x, scale), mobilefacenet.DIMENSIONS
    layers = Layers(graph, weights, iresnet.EPSILON)
    return iresnet.embed(layers, x, iresnet.UNITS[network], scale), iresnet.DIMENSIONS


def mirrored(graph: Graph, x: str) -> str:
    """(N, 3, h, w) -> (2 N, 3, h, w): the images, followed by their mirror images."""
    columns = graph.constant("mirrored", np.arange(SIDE)[::-1].copy())
    return graph.node("Concat", x, graph.node("Gather", x, columns, axis=3), axis=0)


def summed(graph: Graph, embedding: str) -> str:
    """(2 N, D) -> (N, D): the first half plus the second half."""
    return graph.node("Add", *graph.nodes("Split", 2, embedding, axis=0))


def unit(graph: Graph, embedding: str) -> str:
    """Scale to length 1; under ``decode/``, which stays float32, as squares overflow in float16."""
    with graph.scope("decode"):
        length = graph.node("ReduceL2", embedding, axes=[1], keepdims=1)
        return graph.node("Div", embedding, graph.node("Max", length, graph.numbers(SMALLEST_NORM)))
