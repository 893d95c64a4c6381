"""The Haar cascade of OpenCV as a detector."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines import build
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import Catalog, ModelSpec
from engines.errors import LibraryMissingError
from engines.libraries.select import find, open_runner
from engines.types import U8
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, iou, read


@pytest.fixture
def spec() -> ModelSpec:
    return Catalog.load().get("haar", "detector")


def picture() -> U8:
    padded = np.full((640, 640, 3), (123, 117, 104), np.uint8)
    padded[:512, :512] = read(ASTRONAUT_FILE)
    return padded


def detected(spec: ModelSpec, images: U8) -> dict[str, np.ndarray]:
    with open_runner(spec) as runner:
        return runner.infer({"images": images})


def test_it_finds_a_face_in_the_form_of_retinaface(spec: ModelSpec) -> None:
    outputs = detected(spec, np.stack([picture(), np.zeros((640, 640, 3), np.uint8)]))
    shapes = {name: values.shape for name, values in outputs.items()}
    assert shapes == {"scores": (2, 200), "boxes": (2, 200, 4), "landmarks": (2, 200, 5, 2)}
    assert all(values.dtype == np.float32 for values in outputs.values())
    best = tuple(outputs["boxes"][0, 0].tolist())
    assert outputs["scores"][0, 0] > 0.8
    assert iou(best, ASTRONAUT_BOX) > 0.5
    assert not outputs["scores"][1].any()


@pytest.mark.parametrize("neighbours", [3, 5, 8])
def test_a_lowest_score_is_a_number_of_neighbours(spec: ModelSpec, neighbours: int) -> None:
    outputs = detected(spec, picture()[None])
    grey = cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY)
    cascade = cv2.CascadeClassifier(str(find(spec)[0]))
    expected = np.array(cascade.detectMultiScale(grey, 1.1, neighbours)).reshape(-1, 4)
    expected[:, 2:] += expected[:, :2]
    lowest = (neighbours + 1) / (neighbours + 5)
    found = outputs["boxes"][0][outputs["scores"][0] >= lowest - 1e-6]
    assert sorted(found.tolist()) == sorted(expected.tolist())


@pytest.mark.parametrize("side", [1, 2, 23, 24])
def test_an_image_smaller_than_a_face_has_none(spec: ModelSpec, side: int) -> None:
    outputs = detected(spec, np.full((1, side, side, 3), 127, np.uint8))
    assert not outputs["scores"].any()


def test_building_finding_and_verifying_need_no_plan(spec: ModelSpec, tmp_path: Path) -> None:
    built = build.build(spec, OnnxRuntime(), tmp_path)
    assert (built.path, built.sidecar) == build.find(spec, OnnxRuntime(), tmp_path)
    assert build.verify(spec, OnnxRuntime(), tmp_path) == built.sidecar
    assert built.sidecar.fingerprint.engine == "opencv"
    assert not any(tmp_path.iterdir())


def test_an_opencv_without_cascades_names_the_fix(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", f"{tmp_path}/")
    with pytest.raises(LibraryMissingError, match="opencv-python-headless<5"):
        find(spec)


@pytest.mark.skipif(importlib.util.find_spec("mtcnn") is not None, reason="mtcnn is here")
def test_mtcnn_without_its_package_names_the_fix() -> None:
    with pytest.raises(LibraryMissingError, match=r"pip install '\.\[mtcnn\]'"):
        find(Catalog.load().get("mtcnn"))
