"""Small classifiers as other programs export them."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = {0: (), 1: (1,), 3: (3,)}


def linear(
    side: int = 48,
    channels: int = 1,
    classes: int = 3,
    *,
    first: bool = True,
    kind: int = TensorProto.FLOAT,
    end: str = "",
    batch: int | str = "N",
    opset: int = 17,
    domain: str = "",
) -> onnx.ModelProto:
    """A dense layer on the pixels, `end` an operator after it; `weights` has its numbers."""
    plane = (side, side)
    axes = (*CHANNELS[channels], *plane) if first else (*plane, *CHANNELS[channels])
    rows = batch if isinstance(batch, int) else -1
    zero: dict[str, Any] = {"allowzero": 1} if opset >= 14 else {}
    nodes = [
        helper.make_node("Cast", ["faces"], ["values"], "cast", to=TensorProto.FLOAT),
        # PyTorch's exporter sets `allowzero`.
        helper.make_node("Reshape", ["values", "flat"], ["row"], "reshape", **zero),
        helper.make_node("MatMul", ["row", "weights"], ["logits"], "dense"),
        helper.make_node(end or "Identity", ["logits"], ["scores"], "end", domain=domain),
    ]
    kernel = weights(side, channels, classes).astype(np.float32)
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1)] * bool(domain)
    return helper.make_model(
        helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("faces", kind, (batch, *axes))],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (batch, classes))],
            [
                numpy_helper.from_array(kernel, "weights"),
                numpy_helper.from_array(np.array([rows, len(kernel)], np.int64), "flat"),
            ],
        ),
        opset_imports=opsets,
        ir_version=8,
    )


def weights(side: int, channels: int, classes: int) -> np.ndarray[Any, Any]:
    """(pixels, classes), with logits of a few units for pixels of 0 to 1."""
    pixels = side * side * max(channels, 1)
    return np.random.default_rng(side).normal(0, 3 / np.sqrt(pixels), (pixels, classes))
