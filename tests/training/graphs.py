"""Sizes of ONNX graphs."""

import numpy as np
import onnx


def shape(value: onnx.ValueInfoProto) -> list[str | int]:
    """Return the axes of a value: names or lengths."""
    return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]


def multiply_adds(proto: onnx.ModelProto) -> int:
    """Return the multiply-adds of all convolutions and matrix products for one face."""
    single = onnx.ModelProto()
    single.CopyFrom(proto)
    for value in (*single.graph.input, *single.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(single, data_prop=True).graph
    shapes = {each.name: shape(each) for each in (*graph.value_info, *graph.output)}
    weights = {each.name: each.dims for each in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type in {"Conv", "MatMul", "Gemm"}:
            kernel = weights[node.input[1]]
            places = shapes[node.output[0]][2:] if node.op_type == "Conv" else []
            total += int(np.prod(kernel) * np.prod(np.array(places, dtype=np.int64)))
    return total
