"""The emotion network that ships: its inputs and outputs, its size, and unusual pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.training.graphs import multiply_adds, shape

FILE = Path(__file__).parents[3] / "engines" / "models" / "emotion-fer48.onnx"


@pytest.fixture(scope="module")
def proto() -> onnx.ModelProto:
    return onnx.load(FILE)


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])


def test_one_input_one_output_and_labels(proto: onnx.ModelProto) -> None:
    (faces,), (scores,) = proto.graph.input, proto.graph.output
    assert (faces.name, shape(faces)) == ("faces", ["N", 48, 48])
    assert faces.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert (scores.name, shape(scores)) == ("scores", ["N", 7])
    assert scores.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert next(each.version for each in proto.opset_import if not each.domain) == 17
    metadata = {each.key: each.value for each in proto.metadata_props}
    assert metadata["labels"] == "angry,disgust,fear,happy,sad,surprise,neutral"


def test_it_is_small_enough_for_a_cpu(proto: onnx.ModelProto) -> None:
    assert FILE.stat().st_size <= 12_000_000
    assert multiply_adds(proto) <= 300_000_000


def test_scores_are_a_distribution_for_any_pixels(session: onnxruntime.InferenceSession) -> None:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (6, 48, 48)).astype(np.uint8)
    faces[0], faces[1] = 0, 255
    (scores,) = session.run(None, {"faces": faces})
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_a_face_scores_the_same_in_any_batch(session: onnxruntime.InferenceSession) -> None:
    faces = np.random.default_rng(1).integers(0, 256, (9, 48, 48)).astype(np.uint8)
    (together,) = session.run(None, {"faces": faces})
    alone = np.concatenate([session.run(None, {"faces": face[None]})[0] for face in faces])
    np.testing.assert_allclose(together, alone, atol=1e-5)
