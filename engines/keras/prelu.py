"""Joins a PReLU that an exporter wrote as several operators; engines have kernels for PReLU."""

import onnx
from onnx import helper

from tensorrtx.invariance import drop_unused


def joined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with ReLU(x) + a (x - ReLU(x)) as PRelu(x, a), without unused nodes."""
    makers = {name: node for node in model.graph.node for name in node.output}
    nodes = []
    for node in model.graph.node:
        found = _operands(node, makers)
        nodes.append(helper.make_node("PRelu", found, node.output, node.name) if found else node)
    needed = {value.name for value in model.graph.output}
    needed_nodes: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            needed_nodes.append(node)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(reversed(needed_nodes))
    drop_unused(result.graph)
    return result


def _operands(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> tuple[str, str] | None:
    """Return (x, a) if a node is the sum of ReLU(x) and a (x - ReLU(x)), else None."""
    if node.op_type != "Add":
        return None
    for above, scaled in (node.input, node.input[::-1]):
        relu, product = makers.get(above), makers.get(scaled)
        if relu is None or product is None or (relu.op_type, product.op_type) != ("Relu", "Mul"):
            continue
        for below, slope in (product.input, product.input[::-1]):
            rest = makers.get(below)
            if rest is not None and (rest.op_type, *rest.input) == ("Sub", relu.input[0], above):
                return relu.input[0], slope
    return None
