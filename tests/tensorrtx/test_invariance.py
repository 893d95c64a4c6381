"""Batch invariance: an item gives the same bits in any batch, for every shipped network."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines import weights
from engines.catalog import Catalog
from tensorrtx import export
from tensorrtx.invariance import imagewise


def dense(kind: str, trans: int) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    shape = (70, 300) if trans else (300, 70)
    tensors = {"w": rng.normal(size=shape), "b": rng.normal(size=70)}
    inputs = ["x", "w", "b"] if kind == "Gemm" else ["x", "w"]
    options: dict[str, Any] = {"transB": trans} if kind == "Gemm" else {}
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, ["y"], **options)],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 300))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 70))],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, x: NDArray[Any]) -> list[NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return list(session.run(None, {session.get_inputs()[0].name: x}))


@pytest.mark.parametrize(("kind", "trans"), [("Gemm", 0), ("Gemm", 1), ("MatMul", 0)])
def test_a_dense_layer_becomes_a_convolution_and_stays_equal(kind: str, trans: int) -> None:
    model = dense(kind, trans)
    changed = imagewise(model)
    assert {node.op_type for node in changed.graph.node} == {"Unsqueeze", "Conv", "Squeeze"}
    x = np.random.default_rng(1).normal(size=(9, 300)).astype(np.float32)
    assert np.allclose(run(model, x)[0], run(changed, x)[0], rtol=1e-4, atol=1e-4)
    alone = np.concatenate([run(changed, x[i : i + 1])[0] for i in range(9)])
    assert np.array_equal(alone, run(changed, x)[0])


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [(1, 2), (-2, -1)])
@pytest.mark.parametrize("opset", [17, 18])
def test_a_mean_over_pixels_becomes_global_pooling(
    axes: tuple[int, int], keepdims: int, opset: int
) -> None:
    listed = numpy_helper.from_array(np.array(axes, np.int64), "axes")
    given: dict[str, Any] = {"axes": axes} if opset < 18 else {}
    inputs = ["x"] if opset < 18 else ["x", "axes"]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", inputs, ["y"], keepdims=keepdims, **given)],
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 48, 40, 3))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [listed] if opset >= 18 else [],
    )
    opset_imports = [helper.make_opsetid("", opset)]
    changed = imagewise(helper.make_model(graph, opset_imports=opset_imports, ir_version=8))
    assert "ReduceMean" not in {node.op_type for node in changed.graph.node}
    x = np.random.default_rng(1).normal(size=(5, 48, 40, 3)).astype(np.float32)
    (together,) = run(changed, x)
    assert np.allclose(together, x.mean(axis=axes, keepdims=bool(keepdims)), atol=1e-6)
    alone = np.concatenate([run(changed, x[i : i + 1])[0] for i in range(5)])
    assert np.array_equal(alone, together)


@pytest.mark.parametrize("name", ["retinaface-mnet025", "landmarks-64", "emotion-fer48"])
@pytest.mark.parametrize("batch", [2, 8])
def test_the_shipped_networks_are_bitwise_invariant(name: str, batch: int, tmp_path: Path) -> None:
    spec = Catalog.load().get(name)
    model = export(
        spec.network, weights.find(spec, tmp_path, {}).path, **dict[str, Any](spec.options)
    )
    shape = (batch, *spec.input_shape)
    x = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    alone = [run(model, x[i : i + 1]) for i in range(batch)]
    for index, together in enumerate(run(model, x)):
        assert np.array_equal(np.concatenate([one[index] for one in alone]), together)
