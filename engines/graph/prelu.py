"""PReLU in operators that ONNX Runtime is fast at on CPUs.

Its own kernel has no vector code; and it keeps maps in a blocked layout only from one convolution,
ReLU or sum to the next: anything else between them costs two copies.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tensorrtx.invariance import drop_unused

Array = NDArray[np.floating]


def unrolled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with each PReLU written out.

    Over maps, where no slope is above 1, PReLU(z, a) is z + ReLU((a - 1) z). Where a channel's
    slope is, that holds of its negative: so the convolution before is made to give -z there, and
    those after to take -PReLU(z, a). Elsewhere it is ReLU(x) + a (x - ReLU(x)).
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    links = _links(result.graph, model.graph)
    for node in model.graph.node:
        if node.op_type != "PRelu":
            result.graph.node.append(node)
        elif (slopes := _slopes(node, links)).size and _turned(node, slopes, links):
            result.graph.node.extend(_three(node, slopes, result.graph))
        else:
            result.graph.node.extend(_four(node))
    drop_unused(result.graph)
    return result


@dataclass
class _Links:
    """What is constant in a graph, and which nodes make and take its values."""

    constants: dict[str, onnx.TensorProto]
    maker: dict[str, onnx.NodeProto]
    takers: dict[str, list[onnx.NodeProto]]

    def readers(self, value: str) -> list[onnx.NodeProto]:
        """The nodes that take a value; in place of a padding with zeros, those that take its."""
        found = []
        for each in self.takers.get(value, []):
            zeros = each.op_type == "Pad" and len(each.input) == 2 and not each.attribute
            found.extend(self.readers(each.output[0]) if zeros else [each])
        return found

    def movable(self, node: onnx.NodeProto) -> bool:
        """Whether it is a convolution whose weights are constant and no other node's."""
        weights = node.input[1:]
        alone = all(name in self.constants and len(self.takers[name]) == 1 for name in weights)
        return node.op_type == "Conv" and alone

    def multiply(self, name: str, signs: NDArray[np.int_], axis: int) -> None:
        """Multiply a constant by a sign for each index of one of its axes."""
        values = numpy_helper.to_array(self.constants[name])
        shape = [-1 if each == axis else 1 for each in range(values.ndim)]
        turned = (values * signs.reshape(shape)).astype(values.dtype)
        self.constants[name].CopyFrom(numpy_helper.from_array(turned, name))


def _links(target: onnx.GraphProto, source: onnx.GraphProto) -> _Links:
    """The links of `source`, whose constants are those of `target`."""
    links = _Links({tensor.name: tensor for tensor in target.initializer}, {}, {})
    for node in source.node:
        links.maker.update(dict.fromkeys(node.output, node))
        for name in node.input:
            links.takers.setdefault(name, []).append(node)
    for value in source.output:  # whoever reads it is no convolution
        links.takers.setdefault(value.name, []).append(onnx.NodeProto())
    return links


def _slopes(node: onnx.NodeProto, links: _Links) -> Array:
    """The slopes (C,) of a PReLU over maps (N, C, H, W), none where they are not constant float32.

    In half precision z + (a - 1) z would lose the digits of a small slope.
    """
    given = links.constants.get(node.input[1])
    if given is None or given.data_type != onnx.TensorProto.FLOAT:
        return np.empty(0, np.float32)
    slopes = numpy_helper.to_array(given)
    one_a_channel = slopes.size > 1 and slopes.shape[-3:] == (slopes.size, 1, 1)
    return slopes.reshape(-1) if one_a_channel else np.empty(0, np.float32)


def _turned(node: onnx.NodeProto, slopes: Array, links: _Links) -> bool:
    """Turn the sign of channels whose slope is above 1, or return False where that cannot be."""
    if not (slopes > 1).any():
        return True
    before, after = links.maker.get(node.input[0]), links.readers(node.output[0])
    if before is None or len(links.takers[node.input[0]]) > 1:
        return False
    axes = [_channels(each, len(slopes), links) for each in after]
    if None in axes or not all(links.movable(each) for each in (before, *after)):
        return False
    signs = np.where(slopes > 1, -1, 1)
    for name in before.input[1:]:
        links.multiply(name, signs, 0)
    for each, axis in zip(after, axes, strict=True):
        links.multiply(each.input[1], signs, axis or 0)
    return True


def _channels(node: onnx.NodeProto, count: int, links: _Links) -> int | None:
    """The axis of a convolution's kernel that its input's channels lie along, if there is one."""
    kernel = links.constants.get(node.input[1]) if len(node.input) > 1 else None
    match list(kernel.dims)[:2] if kernel is not None else []:
        case [_, inputs] if inputs == count:
            return 1
        case [outputs, 1] if outputs == count:
            return 0
    return None


def _three(node: onnx.NodeProto, slopes: Array, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """A product for each channel, as a convolution of one pixel, then ReLU and the sum."""
    (source, _), name = node.input, node.output[0]
    kernel, scaled, bent = (f"{name}/{part}" for part in ("kernel", "scaled", "bent"))
    factors = (slopes - 1).reshape(-1, 1, 1, 1)
    graph.initializer.append(numpy_helper.from_array(factors, kernel))
    groups = len(slopes)
    return [
        helper.make_node(
            "Conv", [source, kernel], [scaled], scaled, group=groups, kernel_shape=[1, 1]
        ),
        helper.make_node("Relu", [scaled], [bent], bent),
        helper.make_node("Add", [source, bent], [name], node.name),
    ]


def _four(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    (source, slope), name = node.input, node.output[0]
    above, below, scaled = (f"{name}/{part}" for part in ("above", "below", "scaled"))
    return [
        helper.make_node("Relu", [source], [above], above),
        helper.make_node("Sub", [source, above], [below], below),
        helper.make_node("Mul", [below, slope], [scaled], scaled),
        helper.make_node("Add", [above, scaled], [name], node.name),
    ]
