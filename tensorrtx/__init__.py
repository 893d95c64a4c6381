"""From weights to networks: reads ``.wts`` and PyTorch state dicts, writes ONNX."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx

from tensorrtx import adopt, arcface, retinaface, weights
from tensorrtx.errors import WeightsError
from tensorrtx.invariance import imagewise

__all__ = ["NETWORKS", "Network", "WeightsError", "export"]

PRODUCER = "emotions"


@dataclass(frozen=True)
class Network:
    """A network that takes weights.

    ``version`` must grow when ``build`` writes another graph for the same weights and options.
    ``heights`` takes the same options and returns the heights that images may have with
    ``free_height=True``; it is None if ``build`` has no such option.
    """

    name: str
    version: int
    build: Callable[..., onnx.ModelProto]
    heights: Callable[..., tuple[int, ...]] | None = None


def _filled(build: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    return lambda path, **options: build(weights.load(path), **options)


_OURS: Mapping[str, Callable[..., onnx.ModelProto]] = {
    "retinaface-mnet025": functools.partial(retinaface.build, backbone="mnet025"),
    "retinaface-r50": functools.partial(retinaface.build, backbone="r50"),
    "arcface-r50": functools.partial(arcface.build, network="r50"),
    "arcface-r100": functools.partial(arcface.build, network="r100"),
    "arcface-mobilefacenet": functools.partial(arcface.build, network="mobilefacenet"),
}
_HEIGHTS = dict.fromkeys(("retinaface-mnet025", "retinaface-r50"), retinaface.heights)
_ADOPTED: Mapping[str, Callable[..., onnx.ModelProto]] = {
    "onnx": adopt.as_is,
    "onnx-retinaface": adopt.detector,
    "onnx-arcface": adopt.arcface,
}
NETWORKS: Mapping[str, Network] = MappingProxyType(
    {name: Network(name, 1, _filled(build), _HEIGHTS.get(name)) for name, build in _OURS.items()}
    | {name: Network(name, 1, build) for name, build in _ADOPTED.items()}
)


def export(name: str, weights_path: Path, *, raw: bool = False, **options: Any) -> onnx.ModelProto:
    """Return network ``name`` with the weights of a file; equal arguments give equal bytes.

    ``raw`` gives the bare network, as upstream. Otherwise it takes images, and normalisation and
    decoding are in the graph. ``options`` are those of ``retinaface.build``, ``arcface.build`` and
    the functions of ``adopt``, which document inputs, outputs, shapes and units.

    Raises:
        KeyError: there is no such network.
        WeightsError: the weights do not fit the network.
        ValueError: an option is out of its range.
        OSError: the file cannot be read.
    """
    network = NETWORKS[name]
    if raw:
        model = network.build(weights_path, raw=True, **options)
    else:
        model = imagewise(network.build(weights_path, **options))
    _name_nodes(model.graph)
    model.producer_name = PRODUCER
    model.producer_version = str(network.version)
    onnx.helper.set_model_props(model, {"network": name, "raw": str(raw).lower()})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise WeightsError(f"{weights_path}: layers do not fit together: {error}") from error
    return model


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give each node a unique name: ONNX does not require one, but quantisation to int8 does."""
    names: set[str] = set()
    for node in graph.node:
        if not node.name or node.name in names:
            node.name = f"{node.op_type}/{node.output[0]}"
        names.add(node.name)
