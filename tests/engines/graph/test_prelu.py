"""PReLU gives the same written out in other operators, and joined again."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from engines.graph.prelu import unrolled
from engines.keras.prelu import joined
from engines.types import F32

CHANNELS = 3
SHAPE = (2, CHANNELS, 6, 5)
SLOPES = st.lists(
    st.floats(-2, 3, width=32, allow_subnormal=False), min_size=CHANNELS, max_size=CHANNELS
)


@given(SLOPES, SLOPES, st.integers(0, 2**32 - 1))
def test_prelu_between_convolutions_becomes_convolution_relu_and_sum(
    first: list[float], second: list[float], seed: int
) -> None:
    model = chain(first, second, seed)
    written = unrolled(model)
    onnx.checker.check_model(written, full_check=True)
    assert operators(written) == {"Conv", "Relu", "Add", "Pad"}
    values = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    expected = run(model, values)
    np.testing.assert_allclose(run(written, values), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("slope", [[0.25, -0.5, 1.5], [0.25]])
def test_prelu_elsewhere_becomes_four_operators_with_equal_bits(slope: list[float]) -> None:
    model = graph([helper.make_node("PRelu", ["x", "a"], ["y"], "prelu")], {"a": channels(slope)})
    written = unrolled(model)
    onnx.checker.check_model(written, full_check=True)
    assert operators(written) == {"Relu", "Sub", "Mul", "Add"}
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    values[0, 0, 0] = [0.0, -0.0, 1e-38, -1e-38, -3e38]
    assert np.array_equal(run(model, values), run(written, values))


@pytest.mark.parametrize(
    "taker",
    [
        helper.make_node("Sigmoid", ["z"], ["u"]),  # takes the convolution's own value
        helper.make_node(
            "Conv", ["z", "k"], ["u"]
        ),  # has the same weights as the convolution after it
    ],
)
def test_channels_that_another_node_reads_are_not_negated(taker: onnx.NodeProto) -> None:
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["z"]),
        helper.make_node("PRelu", ["z", "a"], ["p"]),
        helper.make_node("Conv", ["p", "k"], ["c"]),
        taker,
        helper.make_node("Add", ["c", "u"], ["y"]),
    ]
    kernels = {name: rng.normal(size=(3, 3, 1, 1)).astype(np.float32) for name in "wk"}
    model = graph(nodes, {**kernels, "a": channels([0.5, 2.0, 1.0])})
    values = rng.normal(size=SHAPE).astype(np.float32)
    np.testing.assert_allclose(run(unrolled(model), values), run(model, values), atol=1e-6)


def test_a_prelu_in_four_operators_is_joined() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["above"]),
        helper.make_node("Sub", ["x", "above"], ["below"]),
        helper.make_node("Mul", ["a", "below"], ["scaled"]),
        helper.make_node("Add", ["above", "scaled"], ["y"]),
    ]
    model = graph(nodes, {"a": channels([0.25, -0.5, 1.5])})
    whole = joined(model)
    onnx.checker.check_model(whole, full_check=True)
    assert [node.op_type for node in whole.graph.node] == ["PRelu"]
    values = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
    assert np.array_equal(run(model, values), run(whole, values))


def test_an_operator_of_a_joined_prelu_with_another_reader_stays() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["above"]),
        helper.make_node("Sub", ["x", "above"], ["below"]),
        helper.make_node("Mul", ["below", "a"], ["scaled"]),
        helper.make_node("Add", ["scaled", "above"], ["sum"]),
        helper.make_node("Mul", ["sum", "above"], ["y"]),
    ]
    model = graph(nodes, {"a": channels([0.25, -0.5, 1.5])})
    whole = joined(model)
    assert [node.op_type for node in whole.graph.node] == ["Relu", "PRelu", "Mul"]
    values = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)
    assert np.array_equal(run(model, values), run(whole, values))


def chain(first: list[float], second: list[float], seed: int) -> onnx.ModelProto:
    """Convolution, PReLU, padding, depth-wise convolution, PReLU, convolution."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["z1"]),
        helper.make_node("PRelu", ["z1", "a1"], ["p1"]),
        helper.make_node("Pad", ["p1", "pads"], ["q1"]),
        helper.make_node("Conv", ["q1", "w2", "b2"], ["z2"], group=CHANNELS),
        helper.make_node("PRelu", ["z2", "a2"], ["p2"]),
        helper.make_node("Conv", ["p2", "w3", "b3"], ["y"]),
    ]
    kernels = {"w1": (3, 3, 1, 1), "w2": (3, 1, 3, 3), "w3": (3, 3, 1, 1)}
    tensors = {name: rng.normal(size=shape) for name, shape in kernels.items()}
    tensors |= {name: rng.normal(size=3) for name in ("b1", "b2", "b3")}
    constants = {name: each.astype(np.float32) for name, each in tensors.items()}
    constants |= {"a1": channels(first), "a2": channels(second)}
    model = graph(nodes, constants)
    model.graph.initializer.append(
        numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
    )
    return model


def graph(nodes: list[onnx.NodeProto], constants: dict[str, F32]) -> onnx.ModelProto:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in "xy")
    tensors = [numpy_helper.from_array(each, name) for name, each in constants.items()]
    whole = helper.make_graph(nodes, "g", [x], [y], tensors)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def channels(slopes: list[float]) -> F32:
    return np.array(slopes, np.float32).reshape(-1, 1, 1)


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def run(model: onnx.ModelProto, values: F32) -> F32:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: F32 = session.run(None, {"x": values})[0]
    return output
