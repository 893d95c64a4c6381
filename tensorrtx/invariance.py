"""Makes graphs batch-invariant: an item gives the same bits alone and in any batch.

For larger batches, CPU engines use other kernels for matrix products and means, which changes the
order of sums. They compute convolutions and global pooling image by image. So dense layers become
1x1 convolutions, and means over pixels become global pooling.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

Constants = dict[str, NDArray[np.float32]]


def imagewise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with dense layers on (N, C) and means over pixels in image-by-image form."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    ranks = _ranks(model)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    nodes = [
        part
        for node in model.graph.node
        for part in _rewritten(node, constants, ranks, changed.graph)
    ]
    del changed.graph.node[:]
    changed.graph.node.extend(nodes)
    drop_unused(changed.graph)
    return changed


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    graph = shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: len(value.type.tensor_type.shape.dim) for value in values}


def _rewritten(
    node: onnx.NodeProto, constants: Constants, ranks: dict[str, int], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    axes = _mean_axes(node, constants, ranks)
    if axes is not None:
        return _pooled(node, axes, graph)
    kernel = _dense_kernel(node, constants, ranks)
    return [node] if kernel is None else _convolved(node, kernel, graph)


def _mean_axes(
    node: onnx.NodeProto, constants: Constants, ranks: dict[str, int]
) -> tuple[int, ...] | None:
    """(1, 2) or (2, 3) for a mean over the pixels of NHWC or NCHW maps, else None."""
    if node.op_type != "ReduceMean" or ranks.get(node.input[0]) != 4:
        return None
    given = _attributes(node).get("axes", ())  # an input since opset 18
    listed = constants.get(node.input[1], given) if len(node.input) > 1 else given
    axes = tuple(sorted(int(axis) % 4 for axis in listed))
    return axes if axes in {(1, 2), (2, 3)} else None


def _pooled(
    node: onnx.NodeProto, axes: tuple[int, ...], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    """Pool (N, C, H, W) to (N, C, 1, 1), with transpositions around it if channels come last."""
    name, x = f"{node.output[0]}/pool", node.input[0]
    steps: list[tuple[str, list[str], dict[str, Any]]] = [("GlobalAveragePool", [], {})]
    if axes == (1, 2):
        steps = [
            ("Transpose", [], {"perm": [0, 3, 1, 2]}),
            *steps,
            ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ]
    if not _attributes(node).get("keepdims", 1):
        graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), f"{name}/axes"))
        steps.append(("Squeeze", [f"{name}/axes"], {}))
    nodes = []
    for index, (kind, inputs, attributes) in enumerate(steps):
        result = node.output[0] if index == len(steps) - 1 else f"{name}/{index}"
        nodes.append(
            helper.make_node(kind, [x, *inputs], [result], f"{name}/{index}", **attributes)
        )
        x = result
    return nodes


def _convolved(
    node: onnx.NodeProto, kernel: NDArray[np.float32], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    name, result = f"{node.output[0]}/conv", node.output[0]
    graph.initializer.append(numpy_helper.from_array(kernel, f"{name}/kernel"))
    graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.int64), f"{name}/axes"))
    image, convolved = f"{name}/image", f"{name}/convolved"
    inputs = [image, f"{name}/kernel", *node.input[2:]]
    return [
        helper.make_node(
            "Unsqueeze", [node.input[0], f"{name}/axes"], [image], f"{name}/unsqueeze"
        ),
        helper.make_node("Conv", inputs, [convolved], name, kernel_shape=[1, 1]),
        helper.make_node("Squeeze", [convolved, f"{name}/axes"], [result], f"{name}/squeeze"),
    ]


def _dense_kernel(
    node: onnx.NodeProto, constants: Constants, ranks: dict[str, int]
) -> NDArray[np.float32] | None:
    """The kernel (out, in, 1, 1) of a dense layer on (N, in), None for other nodes."""
    if node.op_type not in {"MatMul", "Gemm"} or ranks.get(node.input[0]) != 2:
        return None
    weight = constants.get(node.input[1])
    if weight is None or weight.ndim != 2:
        return None
    given = _attributes(node)
    plain = given.get("alpha", 1) == given.get("beta", 1) == 1 and not given.get("transA", 0)
    bias = constants.get(node.input[2]) if len(node.input) > 2 else None
    if not plain or (len(node.input) > 2 and (bias is None or bias.ndim != 1)):
        return None
    kernel = weight if given.get("transB", 0) else weight.T
    return np.ascontiguousarray(kernel[:, :, None, None])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the constants that no node reads."""
    used = {name for node in graph.node for name in node.input}
    used_tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(used_tensors)
