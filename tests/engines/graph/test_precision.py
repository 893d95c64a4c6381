"""Half precision and int8 against float32 in ONNX Runtime, on photographs of real faces."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from engines import build, parity, weights
from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.catalog import Precision
from engines.errors import EngineError
from engines.graph import calibration
from engines.graph.precision import EXACT, convert, to_half
from engines.network import export
from tests import photographs
from tests.engines.graphs import SHIPPED, graph, photographed, spec_of


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("name", SHIPPED)
def test_photographs_give_the_same_within_the_limits(
    name: str, precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, plain = spec_of(name), graph(name)
    typed = tmp_path / "typed.onnx"
    onnx.save(convert(plain, spec, precision), typed)
    monkeypatch.setattr(parity, "probe", photographed)
    with OnnxRuntimeRunner(typed, spec) as runner, build.reference(spec, plain) as reference:
        figures = parity.check(spec, runner, reference, precision)
    assert all(np.isfinite(value) for value in figures.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_float16_begins_after_pixels_and_ends_before_decoding(name: str) -> None:
    model = to_half(graph(name))
    onnx.checker.check_model(model, full_check=True)
    inferred = shape_inference.infer_shapes(model, strict_mode=True).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*inferred.value_info, *inferred.output)}
    assert {v.type.tensor_type.elem_type for v in inferred.output} == {TensorProto.FLOAT}
    for node in model.graph.node:
        if node.op_type == "Conv":
            assert kinds[node.output[0]] == TensorProto.FLOAT16
        if node.name.startswith(EXACT):
            assert TensorProto.FLOAT16 not in {kinds.get(name) for name in node.output}


def test_weights_beyond_the_range_of_float16_stay_finite() -> None:
    kernel = numpy_helper.from_array(np.full((1, 1, 1, 1), 1e6, np.float32), "kernel")
    source, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", 1, 1, 1)) for name in "xy"
    )
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["large"], "conv"),
        helper.make_node("Relu", ["large"], ["y"], "relu"),
    ]
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_graph(nodes, "g", [source], [result], [kernel])
    model = to_half(helper.make_model(made, opset_imports=opset, ir_version=8))
    (halved,) = model.graph.initializer
    assert numpy_helper.to_array(halved).item() == np.finfo(np.float16).max


def test_int8_is_symmetric_and_leaves_delicate_layers_in_float32() -> None:
    spec, plain = spec_of("landmarks-64"), graph("landmarks-64")
    model = convert(plain, spec, "int8")
    constants = {t.name: t for t in model.graph.initializer}
    quantised = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert quantised
    for node in quantised:
        zero = numpy_helper.to_array(constants[node.input[2]])
        assert zero.dtype == np.int8
        assert not zero.any()
    assert TensorProto.INT32 not in {t.data_type for t in model.graph.initializer}
    layers = [node for node in plain.graph.node if node.op_type == "Conv"]
    spared = calibration.delicate(plain.graph)
    assert layers[0].name in spared
    assert layers[-1].name in spared
    assert any(layer.name not in spared for layer in layers)


def test_a_graph_without_node_names_can_be_quantised(tmp_path: Path) -> None:
    spec = spec_of("landmarks-64")
    named = export("onnx", weights.find(spec, tmp_path, {}).path, {})
    bare = onnx.ModelProto()
    bare.CopyFrom(named)
    for node in bare.graph.node:
        node.name = ""
    onnx.save(bare, tmp_path / "bare.onnx")
    again = export("onnx", tmp_path / "bare.onnx", {})
    assert len({node.name for node in again.graph.node}) == len(again.graph.node)
    kinds = [[n.op_type for n in convert(m, spec, "int8").graph.node] for m in (named, again)]
    assert kinds[0].count("QuantizeLinear") == kinds[1].count("QuantizeLinear") > 0


def test_calibration_images_come_from_all_subfolders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "MOST_IMAGES", 4)
    for grey in range(10):
        file = tmp_path / str(grey // 5) / f"{grey}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(photographs.encode(np.full((48, 48, 3), grey, np.uint8)))
    taken = [int(item[0, 0]) for item in calibration.samples(spec_of("emotion-fer48"), tmp_path)]
    assert taken == [0, 3, 6, 9]


def test_calibration_frames_are_letterboxed(tmp_path: Path) -> None:
    frame = np.zeros((100, 400, 3), np.uint8)
    frame[:, :, 0] = 200
    (tmp_path / "wide.png").write_bytes(photographs.encode(frame))
    (item,) = calibration.samples(spec_of("retinaface-mnet025"), tmp_path)
    assert item.shape == (640, 640, 3)
    assert (item[:160] == (200, 0, 0)).all()
    assert (item[160:] == (123, 117, 104)).all()


def test_only_int8_takes_calibration_images(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="int8"):
        build.build(spec_of("emotion-fer48"), OnnxRuntime(), tmp_path, faces=tmp_path)


def test_int8_can_be_calibrated_with_a_folder(tmp_path: Path) -> None:
    spec = spec_of("emotion-fer48")
    with pytest.raises(EngineError, match="holds no images"):
        list(calibration.samples(spec, tmp_path))
    for shift in range(3):
        crop = np.roll(photographs.read(photographs.ASTRONAUT_FILE)[59:177, 178:273], shift)
        (tmp_path / f"{shift}.png").write_bytes(photographs.encode(crop))
    assert [item.shape for item in calibration.samples(spec, tmp_path)] == [(48, 48)] * 3
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(EngineError, match=r"broken\.jpg"):
        list(calibration.samples(spec, tmp_path))
