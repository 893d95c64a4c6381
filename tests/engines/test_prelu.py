"""PReLU written out gives the same."""

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.prelu import unrolled

SHAPE = (2, 3, 4, 5)


def test_prelu_and_its_four_operators_are_equal() -> None:
    slope = numpy_helper.from_array(np.array([[[0.25]], [[-0.5]], [[1.5]]], np.float32), "slope")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in "xy")
    node = helper.make_node("PRelu", ["x", "slope"], ["y"], "prelu")
    opset = [helper.make_opsetid("", 17)]
    graph = helper.make_graph([node], "g", [x], [y], [slope])
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    written = unrolled(model)
    onnx.checker.check_model(written, full_check=True)
    assert "PRelu" not in {each.op_type for each in written.graph.node}
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    values[0, 0, 0] = [0.0, -0.0, 1e-38, -1e-38, -3e38]
    assert np.array_equal(run(model, values), run(written, values))


def run(model: onnx.ModelProto, values: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: NDArray[np.float32] = session.run(None, {"x": values})[0]
    return output
