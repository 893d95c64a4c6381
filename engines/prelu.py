"""PReLU as four simple operators, for ONNX Runtime, whose own kernel on CPUs has no vector code."""

import onnx
from onnx import helper


def unrolled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with PReLU(x, a) written as ReLU(x) + a (x - ReLU(x)).

    Values are equal, but for the sign of zeros: for x > 0 the second term is a zero, and for x < 0
    the first is one and x - 0 is x.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    for node in model.graph.node:
        result.graph.node.extend(_four(node) if node.op_type == "PRelu" else [node])
    return result


def _four(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    (source, slope), name = node.input, node.output[0]
    above, below, scaled = (f"{name}/{part}" for part in ("above", "below", "scaled"))
    return [
        helper.make_node("Relu", [source], [above], above),
        helper.make_node("Sub", [source, above], [below], below),
        helper.make_node("Mul", [below, slope], [scaled], scaled),
        helper.make_node("Add", [above, scaled], [name], node.name),
    ]
