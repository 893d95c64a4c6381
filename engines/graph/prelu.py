"""PReLU, written in operators that are fast in ONNX Runtime on CPUs.

ONNX Runtime's own kernel has no vector code. ONNX Runtime also keeps maps in a blocked layout only
between convolutions, ReLUs and sums; any other operator between them costs two copies.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from engines.types import F32
from tensorrtx.invariance import drop_unused


def unrolled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with each PReLU written out in other operators.

    For slopes up to 1, PReLU(z, a) is z + ReLU((a - 1) z). For a slope above 1, the same formula
    maps -z to -PReLU(z, a): the sign of that channel is changed in the weights of the convolution
    before it and of those after it. If that is impossible, PReLU becomes ReLU(x) + a (x - ReLU(x)).
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    links = _links(result.graph, model.graph)
    for node in model.graph.node:
        if node.op_type != "PRelu":
            result.graph.node.append(node)
        elif (slopes := _slopes(node, links)).size and _negate_steep(node, slopes, links):
            result.graph.node.extend(_conv_relu_add(node, slopes, result.graph))
        else:
            result.graph.node.extend(_relu_sub_mul_add(node))
    drop_unused(result.graph)
    return result


@dataclass
class _Links:
    """The constants of a graph, and the nodes that make and that read each value."""

    constants: dict[str, onnx.TensorProto]
    makers: dict[str, onnx.NodeProto]
    readers: dict[str, list[onnx.NodeProto]]

    def readers_through_pads(self, value: str) -> list[onnx.NodeProto]:
        """The nodes that read a value, directly or padded with zeros."""
        found = []
        for node in self.readers.get(value, []):
            zeros = node.op_type == "Pad" and len(node.input) == 2 and not node.attribute
            found.extend(self.readers_through_pads(node.output[0]) if zeros else [node])
        return found

    def has_own_weights(self, node: onnx.NodeProto) -> bool:
        """Whether it is a convolution with constant weights that no other node reads."""
        weights = node.input[1:]
        own = all(name in self.constants and len(self.readers[name]) == 1 for name in weights)
        return node.op_type == "Conv" and own

    def multiply(self, name: str, signs: NDArray[np.int_], axis: int) -> None:
        """Multiply a constant by a sign per index of one of its axes."""
        values = numpy_helper.to_array(self.constants[name])
        shape = [-1 if each == axis else 1 for each in range(values.ndim)]
        product = (values * signs.reshape(shape)).astype(values.dtype)
        self.constants[name].CopyFrom(numpy_helper.from_array(product, name))


def _links(target: onnx.GraphProto, source: onnx.GraphProto) -> _Links:
    """The links of `source`, with the constants of `target`."""
    links = _Links({tensor.name: tensor for tensor in target.initializer}, {}, {})
    for node in source.node:
        links.makers.update(dict.fromkeys(node.output, node))
        for name in node.input:
            links.readers.setdefault(name, []).append(node)
    for value in source.output:  # read by the caller, which is no convolution
        links.readers.setdefault(value.name, []).append(onnx.NodeProto())
    return links


def _slopes(node: onnx.NodeProto, links: _Links) -> F32:
    """The slopes (C,) of a PReLU over maps (N, C, H, W); empty if they are not constant float32.

    In float16, z + (a - 1) z would lose the digits of a small slope.
    """
    given = links.constants.get(node.input[1])
    if given is None or given.data_type != onnx.TensorProto.FLOAT:
        return np.empty(0, np.float32)
    slopes = np.asarray(numpy_helper.to_array(given), np.float32)
    per_channel = slopes.size > 1 and slopes.shape[-3:] == (slopes.size, 1, 1)
    return slopes.reshape(-1) if per_channel else np.empty(0, np.float32)


def _negate_steep(node: onnx.NodeProto, slopes: F32, links: _Links) -> bool:
    """Negate the channels with slopes above 1 in the weights around a PReLU.

    Returns False, and changes nothing, if another node would see the negated channels.
    """
    if not (slopes > 1).any():
        return True
    before, after = links.makers.get(node.input[0]), links.readers_through_pads(node.output[0])
    if before is None or len(links.readers[node.input[0]]) > 1:
        return False
    axes = [_channel_axis(each, len(slopes), links) for each in after]
    if None in axes or not all(links.has_own_weights(each) for each in (before, *after)):
        return False
    signs = np.where(slopes > 1, -1, 1)
    for name in before.input[1:]:
        links.multiply(name, signs, 0)
    for each, axis in zip(after, axes, strict=True):
        links.multiply(each.input[1], signs, axis or 0)
    return True


def _channel_axis(node: onnx.NodeProto, count: int, links: _Links) -> int | None:
    """The axis of a convolution's kernel for the `count` channels of its input, if it has one."""
    kernel = links.constants.get(node.input[1]) if len(node.input) > 1 else None
    match list(kernel.dims)[:2] if kernel is not None else []:
        case [_, inputs] if inputs == count:
            return 1
        case [outputs, 1] if outputs == count:
            return 0
    return None


def _conv_relu_add(
    node: onnx.NodeProto, slopes: F32, graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    """Write z + ReLU((a - 1) z); the product per channel is a depth-wise 1x1 convolution."""
    (source, _), name = node.input, node.output[0]
    kernel, scaled, positive = (f"{name}/{part}" for part in ("kernel", "scaled", "bent"))
    factors = (slopes - 1).reshape(-1, 1, 1, 1)
    graph.initializer.append(numpy_helper.from_array(factors, kernel))
    groups = len(slopes)
    return [
        helper.make_node(
            "Conv", [source, kernel], [scaled], scaled, group=groups, kernel_shape=[1, 1]
        ),
        helper.make_node("Relu", [scaled], [positive], positive),
        helper.make_node("Add", [source, positive], [name], node.name),
    ]


def _relu_sub_mul_add(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Write ReLU(x) + a (x - ReLU(x))."""
    (source, slope), name = node.input, node.output[0]
    above, below, scaled = (f"{name}/{part}" for part in ("above", "below", "scaled"))
    return [
        helper.make_node("Relu", [source], [above], above),
        helper.make_node("Sub", [source, above], [below], below),
        helper.make_node("Mul", [below, slope], [scaled], scaled),
        helper.make_node("Add", [above, scaled], [name], node.name),
    ]
