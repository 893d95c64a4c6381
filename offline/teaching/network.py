"""Emotion networks as ONNX graphs: the inputs of their last layer, and another last layer."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnx.utils import Extractor

from engines.backends.onnxruntime import session
from engines.types import F32, U8, Array
from offline.errors import TeachingError

# Faces that run through a network at once.
BATCH = 64
# Operators between the last linear layers and the scores.
AFTER = {"Add", "Div", "Identity", "LogSoftmax", "Mul", "Softmax", "Sum"}
# Linear layers; their second input is a constant.
LINEAR = {"Gemm", "MatMul"}
WEIGHTS, BIAS, LOGITS, SCORES = "head/weights", "head/bias", "head/logits", "scores"


def features_of(model: onnx.ModelProto, faces: U8) -> F32:
    """Return the inputs of the last linear layers, side by side: float32 (N, F).

    model: an emotion network; faces: uint8 (N, 48, 48).

    Raises:
        TeachingError: see `with_head`.
    """
    return np.concatenate(values_of(model, _feature_names(model), faces), axis=1)


def values_of(model: onnx.ModelProto, names: list[str], faces: U8) -> list[Array]:
    """Return values inside a network: (N, ...) each; faces: uint8 (N, 48, 48)."""
    return _run(_before(model, names), faces)


def with_head(model: onnx.ModelProto, weights: F32, bias: F32) -> onnx.ModelProto:
    """Return an emotion network with another last layer and softmax, for K other classes.

    weights: (F, K), for the features of `features_of`; bias: (K,).

    Raises:
        TeachingError: the network does not end in linear layers and softmax.
    """
    names = _feature_names(model)
    changed = _before(model, names)
    graph = changed.graph
    for name, values in ((WEIGHTS, weights), (BIAS, bias)):
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
    joined = names[0]
    if len(names) > 1:
        joined = "head/features"
        graph.node.append(helper.make_node("Concat", names, [joined], axis=1))
    graph.node.append(helper.make_node("MatMul", [joined, WEIGHTS], ["head/product"]))
    graph.node.append(helper.make_node("Add", ["head/product", BIAS], [LOGITS]))
    graph.node.append(helper.make_node("Softmax", [LOGITS], [SCORES], axis=1))
    del graph.output[:]
    shape: list[str | int | None] = ["N", len(bias)]
    graph.output.append(helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, shape))
    onnx.checker.check_model(changed, full_check=True)
    return changed


def cooled(model: onnx.ModelProto, temperature: float) -> onnx.ModelProto:
    """Return a network of `with_head` with its logits divided by `temperature`."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for tensor in changed.graph.initializer:
        if tensor.name in {WEIGHTS, BIAS}:
            values = numpy_helper.to_array(tensor) / np.float32(temperature)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return changed


def _before(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """Return the layers that make these values, as a network that gives them."""
    source = [value.name for value in model.graph.input]
    return Extractor(shape_inference.infer_shapes(model)).extract_model(source, names)


def _feature_names(model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    found = [*dict.fromkeys(_linear_inputs(graph.output[0].name, makers, constants))]
    if "" in found or not found:
        raise TeachingError(
            "the emotion network does not end in linear layers and softmax, so it cannot be "
            "taught; set EMOTIONS_EMOTION to another one, for instance emotion-fer48"
        )
    return found


def _linear_inputs(
    value: str, makers: dict[str, onnx.NodeProto], constants: set[str]
) -> Iterator[str]:
    """Yield the inputs of the linear layers that a value is a sum of; "" if it is no such sum."""
    node = makers.get(value)
    if value in constants or (node is not None and node.op_type == "Constant"):
        return
    if node is None:
        yield ""
    elif node.op_type in LINEAR and node.input[1] in constants:
        yield node.input[0]
    elif node.op_type in AFTER:
        for each in node.input:
            yield from _linear_inputs(each, makers, constants)
    else:
        yield ""


def _run(model: onnx.ModelProto, faces: U8) -> list[Array]:
    runner = session(model.SerializeToString())
    (source,) = (value.name for value in runner.get_inputs())
    parts = [
        runner.run(None, {source: faces[start : start + BATCH]})
        for start in range(0, len(faces), BATCH)
    ]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]
