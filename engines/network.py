"""The network of a model as an ONNX graph with its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

import tensorrtx
from engines import contract, weights
from engines.catalog import ModelSpec, OptionValue
from engines.errors import EngineError
from engines.weights import WeightsFile


def graph(spec: ModelSpec, source: WeightsFile, heights: tuple[int, ...] = ()) -> onnx.ModelProto:
    """Return the float32 network of `spec` with weights from `source`, the same for every engine.

    `heights` are the input heights that the engine supports; if there are several, the height of
    the graph's input is dynamic.

    Raises:
        EngineError: the weights do not fit the network, or its inputs and outputs are not those of
            the model's task.
    """
    options = weights.options(spec, source.sha256)
    free = {"free_height": True} if len(heights) > 1 else {}
    return contract.fitted(export(spec.network, source.path, {**options, **free}), spec)


def export(network: str, file: Path, options: Mapping[str, OptionValue]) -> onnx.ModelProto:
    """Fill a network of `tensorrtx.NETWORKS` with the weights of a file.

    Raises:
        EngineError: there is no such network, or the weights do not fit it; the message names the
            tensor.
    """
    if network not in tensorrtx.NETWORKS:
        known = ", ".join(tensorrtx.NETWORKS)
        raise EngineError(f"no network {network!r}; there are: {known}")
    try:
        return tensorrtx.export(network, file, **dict[str, Any](options))
    except (tensorrtx.WeightsError, OSError, ValueError, TypeError) as error:
        raise EngineError(f"cannot fill {network} from {file}: {error}") from error
