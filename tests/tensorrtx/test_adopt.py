"""ONNX files from elsewhere, compared with the same weights in our own networks."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tensorrtx import WeightsError, export
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, read

SHARED = Path(__file__).parents[3] / "shared" / "weights"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the reference weights are not here")


def run(model: onnx.ModelProto, **feeds: NDArray[Any]) -> dict[str, NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def scenes() -> NDArray[np.uint8]:
    scene = np.full((640, 640, 3), 110, np.uint8)
    scene[:512, :512] = read(ASTRONAUT_FILE)
    other = np.full((640, 640, 3), 110, np.uint8)
    other[:600, :512] = read(HOPPER_FILE)
    return np.stack([scene, other, scene[:, ::-1]])


@needs_shared
def test_an_adopted_retinaface_equals_our_own_of_the_same_weights() -> None:
    own = run(export("retinaface-mnet025", SHARED / "retinaface_mnet025.wts"), images=scenes())
    path = SHARED / "retinaface_mnet025_reference.onnx"
    adopted = run(export("onnx-retinaface", path), images=scenes())
    sure = own["scores"] > 0.5
    assert sure.any(axis=1).all()
    assert np.abs(own["scores"] - adopted["scores"]).max() < 1e-4
    assert np.abs(own["boxes"] - adopted["boxes"])[sure].max() < 0.01
    assert np.abs(own["landmarks"] - adopted["landmarks"])[sure].max() < 0.01


@needs_shared
def test_an_adopted_arcface_normalises_pixels_and_embeddings_in_any_batch() -> None:
    path = SHARED / "mobilefacenet_reference.onnx"
    faces = scenes()[:, 100:212, 150:262]
    adopted = run(export("onnx-arcface", path, scale=128.0), faces=faces)["embedding"]
    reference = onnxruntime.InferenceSession(str(path))
    for face, found in zip(faces, adopted, strict=True):
        feed = ((face.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        (wanted,) = reference.run(None, {"input": feed})
        assert np.allclose(found, wanted[0] / np.linalg.norm(wanted), atol=1e-5)


def graph(kind: int, *shapes: tuple[int | str, ...]) -> bytes:
    source, *results = shapes
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], [f"y{i}"], name=f"n{i}")
        for i in range(len(results))
    ]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1, 1])
    made = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", kind, source)],
        [
            helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, r)
            for i, r in enumerate(results)
        ],
        [shape],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString())


IMAGE = (1, 3, 640, 640)


@pytest.mark.parametrize(
    ("network", "content", "message"),
    [
        ("onnx", b"no graph", "not a valid ONNX file"),
        ("onnx", graph(TensorProto.FLOAT, ("N", 48, 48), ("N", 7)), "one uint8 input"),
        ("onnx-arcface", graph(TensorProto.FLOAT, IMAGE, (1, 128)), r"\(N, 3, 112, 112\)"),
        (
            "onnx-arcface",
            graph(TensorProto.FLOAT, (1, 3, 112, 112), (1, 8), (1, 8)),
            r"one output \(N, D\)",
        ),
        ("onnx-retinaface", graph(TensorProto.FLOAT, IMAGE, (1, 9, 4)), r"\(N, A, 10\)"),
        ("onnx-retinaface", graph(TensorProto.FLOAT, (1, 3, 320, 320)), r"\(N, 3, 640, 640\)"),
    ],
)
def test_wrong_inputs_or_outputs_are_named(
    network: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        export(network, path)


def emotions(opset: int, width: int = 48 * 48) -> onnx.ModelProto:
    """Seven classes from one dense layer on all pixels, in any opset."""
    rng = np.random.default_rng(0)
    tensors = {"w": rng.normal(size=(7, width)) / width, "b": rng.normal(size=7)}
    nodes = [
        helper.make_node("Cast", ["faces"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    made = helper.make_graph(
        nodes,
        "emotions",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ("N", 48, 48))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("N", 7))],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(made, opset_imports=imports, ir_version=8)


@pytest.mark.parametrize("opset", [9, 11, 12, 13, 17, 20])
def test_a_graph_with_our_inputs_may_be_of_any_opset(opset: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(emotions(opset).SerializeToString())
    faces = np.random.default_rng(1).integers(0, 256, (5, 48, 48), np.uint8)
    adopted = run(export("onnx", path), faces=faces)["scores"]
    assert np.allclose(adopted, run(emotions(opset), faces=faces)["scores"], atol=1e-5)


def test_layers_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    model, path = emotions(17), tmp_path / "mine.onnx"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 8
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match=r"mine\.onnx: layers do not fit together"):
        export("onnx", path)


def test_an_opset_that_cannot_be_converted_is_named(tmp_path: Path) -> None:
    model, path = emotions(8), tmp_path / "mine.onnx"
    names = ["scale", "offset", "mean", "variance"]
    tensors = [numpy_helper.from_array(np.ones(7, np.float32), name) for name in names]
    # Later opsets have no statistics per pixel.
    norm = helper.make_node("BatchNormalization", ["logits", *names], ["normed"], spatial=0)
    model.graph.node.insert(3, norm)
    model.graph.node[4].input[0] = "normed"
    model.graph.initializer.extend(tensors)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match=r"from opset 8 to 17; export it at 17"):
        export("onnx", path)


def test_weights_in_a_second_file_are_refused_with_the_fix(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "n")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], [weights]))
    file = tmp_path / "model.onnx"
    onnx.save(model, file, save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(WeightsError, match=r"another file; .*external_data=False"):
        export("onnx", file)
