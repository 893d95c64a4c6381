"""The last layers of an emotion network as a PyTorch module, made from its ONNX graph."""

# mypy: allow-subclassing-any

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional

from engines.types import Array

# Convolutions on the way to the last layer that are trained, per network of a joined one.
CONVOLUTIONS = 8
Attributes = dict[str, Any]
Operator = Callable[[Attributes, list[torch.Tensor]], torch.Tensor]


def _conv(attributes: Attributes, values: list[torch.Tensor]) -> torch.Tensor:
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    image, weights, *bias = values
    padded = functional.pad(image, (left, right, top, bottom))
    strides, groups = attributes.get("strides", (1, 1)), attributes.get("group", 1)
    return functional.conv2d(
        padded, weights, bias[0] if bias else None, tuple(strides), groups=groups
    )


def _prelu(attributes: Attributes, values: list[torch.Tensor]) -> torch.Tensor:  # noqa: ARG001
    image, slope = values
    return torch.where(image > 0, image, image * slope)


def _mean(attributes: Attributes, values: list[torch.Tensor]) -> torch.Tensor:
    axes = tuple(attributes["axes"]) if "axes" in attributes else tuple(values[1].long().tolist())
    return values[0].mean(axes, keepdim=bool(attributes.get("keepdims", 1)))


OPERATORS: dict[str, Operator] = {
    "Add": lambda attributes, values: values[0] + values[1],
    "Concat": lambda attributes, values: torch.cat(values, attributes["axis"]),
    "Conv": _conv,
    "MatMul": lambda attributes, values: values[0] @ values[1],
    "Mul": lambda attributes, values: values[0] * values[1],
    "PRelu": _prelu,
    "ReduceMean": _mean,
    "Relu": lambda attributes, values: values[0].relu(),
    "Transpose": lambda attributes, values: values[0].permute(*attributes["perm"]),
}


def border_of(model: onnx.ModelProto, logits: str) -> tuple[list[str], list[onnx.NodeProto]]:
    """Return the values before the last layers, and the nodes of these layers in order.

    The last layers reach back over `CONVOLUTIONS`, or to the first operator that is not in
    `OPERATORS`.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name for tensor in model.graph.initializer}
    depth, pending = {logits: 0}, [logits]
    while pending:
        value = pending.pop()
        node = makers[value]
        behind = depth[value] + (node.op_type == "Conv")
        for name in node.input:
            maker = makers.get(name)
            inside = maker is not None and maker.op_type in OPERATORS and behind < CONVOLUTIONS
            if name not in constants and inside and depth.get(name, -1) < behind:
                depth[name] = behind
                pending.append(name)
    nodes = [node for node in model.graph.node if depth.keys() & set(node.output)]
    made = {name for node in nodes for name in node.output}
    read = (name for node in nodes for name in node.input)
    return [*dict.fromkeys(name for name in read if name not in made | constants)], nodes


class Tail(nn.Module):
    """The last layers; its parameters are their float constants."""

    def __init__(self, model: onnx.ModelProto, nodes: list[onnx.NodeProto], logits: str) -> None:
        super().__init__()
        self._nodes, self._logits = nodes, logits
        used = {name for node in nodes for name in node.input}
        self._constants: dict[str, torch.Tensor] = {}
        self._parameters_by_name: dict[str, nn.Parameter] = {}
        for tensor in model.graph.initializer:
            if tensor.name in used:
                values = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
                if values.is_floating_point():
                    parameter = nn.Parameter(values)
                    self.register_parameter(f"p{len(self._parameters_by_name)}", parameter)
                    self._parameters_by_name[tensor.name] = parameter
                else:
                    self._constants[tensor.name] = values

    def forward(self, border: dict[str, torch.Tensor]) -> torch.Tensor:
        """Map the values before the last layers, (N, ...) by name, to logits (N, K)."""
        values = {**self._constants, **self._parameters_by_name, **border}
        for node in self._nodes:
            attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            inputs = [values[name] for name in node.input if name]
            values[node.output[0]] = OPERATORS[node.op_type](attributes, inputs)
        return values[self._logits]

    def arrays(self) -> dict[str, Array]:
        """Return the constants after training, by name."""
        return {name: each.detach().numpy() for name, each in self._parameters_by_name.items()}
