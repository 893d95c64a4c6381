"""Weights to network: reads ``.wts`` and PyTorch state dicts, writes ONNX."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx

from tensorrtx import arcface, retinaface, weights
from tensorrtx.errors import WeightsError

__all__ = ["NETWORKS", "Network", "WeightsError", "export"]

PRODUCER = "emotions"


@dataclass(frozen=True)
class Network:
    """A network that weights can be put into.

    ``version`` grows whenever ``build`` writes another graph for the same weights and options.
    """

    name: str
    version: int
    build: Callable[..., onnx.ModelProto]


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        network.name: network
        for network in (
            Network(
                "retinaface-mnet025", 1, functools.partial(retinaface.build, backbone="mnet025")
            ),
            Network("retinaface-r50", 1, functools.partial(retinaface.build, backbone="r50")),
            Network("arcface-r50", 1, functools.partial(arcface.build, network="r50")),
            Network("arcface-r100", 1, functools.partial(arcface.build, network="r100")),
            Network(
                "arcface-mobilefacenet",
                1,
                functools.partial(arcface.build, network="mobilefacenet"),
            ),
        )
    }
)


def export(name: str, weights_path: Path, *, raw: bool = False, **options: Any) -> onnx.ModelProto:
    """Write network ``name`` with the weights of a file; equal arguments give equal bytes.

    ``raw`` gives the bare network as upstream, else images go in and normalisation and decoding are
    inside; ``options`` are those of ``retinaface.build`` and ``arcface.build``, which tell inputs,
    outputs, shapes and units.

    Raises:
        KeyError: there is no such network.
        WeightsError: the weights are not this network's.
        ValueError: an option is out of its range.
        OSError: the file cannot be read.
    """
    network = NETWORKS[name]
    model = network.build(weights.load(weights_path), raw=raw, **options)
    model.producer_name = PRODUCER
    model.producer_version = str(network.version)
    onnx.helper.set_model_props(model, {"network": name, "raw": str(raw).lower()})
    onnx.checker.check_model(model, full_check=True)
    return model
