"""Trained weights, if they lie beside the repository, on real photographs."""

import numpy as np
import pytest

import tensorrtx
from tests.tensorrtx import golden
from tests.tensorrtx.golden import Session


@pytest.fixture(scope="module")
def raw() -> Session:
    path = golden.shared("retinaface_mnet025.wts")
    return Session(tensorrtx.export("retinaface-mnet025", path, raw=True))


@pytest.fixture(scope="module")
def reference() -> Session:
    return Session(golden.shared("retinaface_mnet025_reference.onnx"))


@pytest.mark.parametrize("batch", [1, 8])
def test_retinaface_equals_an_independent_graph(
    raw: Session, reference: Session, batch: int
) -> None:
    images = golden.pictures(640, 640)[:batch]
    inputs = golden.planes(images[..., ::-1] - golden.MEAN_BGR)
    outputs = raw(inputs)
    for i in range(batch):
        for whole, expected in zip(outputs, reference(inputs[i : i + 1]), strict=True):
            np.testing.assert_allclose(whole[i], expected[0], rtol=0, atol=1e-4)


def test_retinaface_finds_the_astronaut() -> None:
    model = tensorrtx.export("retinaface-mnet025", golden.shared("retinaface_mnet025.wts"))
    scores, boxes, landmarks = Session(model)(golden.pictures(640, 640)[:1])
    assert scores[0, 0] > 0.99
    np.testing.assert_allclose(boxes[0, 0] * 0.8, [178, 59, 273, 177], atol=3)
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks[0, 0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_mobilefacenet_equals_another_framework() -> None:
    expected = golden.load("arcface_mobilefacenet")
    path = golden.shared("arcface_mobilefacenet.wts")
    model = tensorrtx.export("arcface-mobilefacenet", path, raw=True)
    crops = golden.planes((expected["crops_rgb"] - np.float32(127.5)) / np.float32(128))
    assert golden.relative(Session(model)(crops)[0], expected["embedding"]) < 1e-4
