"""Graphs of every network of the catalog, filled with made-up weights where none are shipped."""

import functools

import numpy as np
import onnx
from numpy.typing import NDArray

from engines import network, weights
from engines.catalog import ModelSpec
from engines.weights import WeightsFile
from tensorrtx import arcface, retinaface
from tensorrtx.invariance import imagewise
from tensorrtx.weights import Weights
from tests.data.seeded_weights import seeded


class MadeUp(Weights):
    """Has every tensor that a network takes."""

    def __init__(self) -> None:
        super().__init__({}, "made up")

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        slope = len(shape) == 1 and "relu" in name
        return seeded(name, shape, prelu=slope)


def graph(spec: ModelSpec) -> onnx.ModelProto:
    """The graph that `engines.network.graph` gives, with shipped weights or made-up ones."""
    shipped = weights.shipped(spec)
    if shipped is not None:
        return network.graph(spec, WeightsFile.of(shipped))
    return _made_up(spec.network)


@functools.cache
def _made_up(name: str) -> onnx.ModelProto:
    match name:
        case "retinaface-r50":
            model = retinaface.build(MadeUp(), backbone="r50")
        case "arcface-mobilefacenet":
            model = arcface.build(MadeUp(), network="mobilefacenet")
        case "arcface-r50":
            model = arcface.build(MadeUp(), network="r50")
        case _:
            model = arcface.build(MadeUp(), network="r100")
    return imagewise(model)
