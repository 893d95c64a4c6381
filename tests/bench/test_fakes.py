"""Fake networks answer in the shapes of real ones, with faces that the analysis accepts."""

from pathlib import Path

import numpy as np
import pytest

from analysis.crops import FER_SIZE, FRAME_HEIGHT_SHARE, FRAME_WIDTH_SHARE
from analysis.detection import Letterbox, select
from bench import fakes
from bench.fakes import engine as fake_engine
from bench.fakes.answers import answer, detections, grid
from bench.fakes.device import Cost, Device
from engines.catalog import Catalog, ModelSpec
from engines.select import load_engine

PLAN = Path("never-opened")
MODELS = ("retinaface-mnet025", "landmarks-64", "emotion-fer48", "arcface-mobilefacenet")


DETECTOR = Catalog.load().get(MODELS[0])
DETECTORS = (DETECTOR, *DETECTOR.larger)


def spec(name: str) -> ModelSpec:
    return Catalog.load().get(name)


def rows(model: ModelSpec, count: int) -> dict[str, np.ndarray]:
    return {model.input_name: np.zeros((count, *model.input_shape), np.uint8)}


@pytest.mark.parametrize("faces", [0, 1, 5, 8, 30])
@pytest.mark.parametrize("size", [(640, 480), (1920, 1080)])
@pytest.mark.parametrize("model", DETECTORS, ids=lambda model: model.name)
def test_each_face_is_found_once_and_needs_no_second_decoding(
    faces: int, size: tuple[int, int], model: ModelSpec
) -> None:
    with fakes.instant(str(faces)).open(PLAN, model) as runner:
        outputs = runner.infer(rows(model, 3))
    candidates = max(faces, 1)
    assert outputs["scores"].shape == (3, candidates)
    assert outputs["boxes"].shape == (3, candidates, 4)
    assert outputs["landmarks"].shape == (3, candidates, 5, 2)
    assert {array.dtype for array in outputs.values()} == {np.dtype(np.float32)}
    row = {name: array[2] for name, array in outputs.items()}
    box = Letterbox(min(model.input_size[1] / size[0], model.input_size[0] / size[1]), *size)
    found = select(row, box, min_score=0.5, nms_iou=0.4, max_faces=100)
    assert len(found.boxes) == faces
    sides = (row["boxes"][:, 2:] - row["boxes"][:, :2]) / (FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE)
    assert sides.max(axis=1).min() >= FER_SIZE
    if faces:
        corners = np.repeat(found.boxes[:, None, :2], 5, axis=1)
        ends = np.repeat(found.boxes[:, None, 2:], 5, axis=1)
        assert ((corners < found.landmarks) & (found.landmarks < ends)).all()


def test_a_tiny_image_has_a_face_too() -> None:
    found = select(detections(1), Letterbox(2, 24, 16), min_score=0.5, nms_iou=0.4, max_faces=1)
    assert len(found.boxes) == 1


def test_too_many_faces_are_an_error() -> None:
    with pytest.raises(ValueError, match="31"):
        grid(31)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_answers_any_number_of_rows(name: str) -> None:
    model = spec(name)
    engine = fakes.instant("1")
    assert engine.batch(model) == model.max_batch
    with engine.open(PLAN, model) as runner:
        for count in (1, model.max_batch, model.max_batch + 1):
            for array in runner.infer(rows(model, count)).values():
                assert array.shape[0] == count
                assert array.dtype == np.float32


def test_scores_and_embeddings_are_normalised() -> None:
    emotion, embedder = spec("emotion-fer48"), spec("arcface-mobilefacenet")
    assert answer(emotion, 1)["scores"].sum() == pytest.approx(1)
    assert np.linalg.norm(answer(embedder, 1)["embedding"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("made", "origin"),
    [
        (fakes.instant("8"), "bench.fakes:instant:8"),
        (fakes.simulated("0.5,0.6,1"), "bench.fakes:simulated:0.5,0.6,1"),
        (fakes.recorder("/a/file"), "bench.fakes:recorder:/a/file"),
    ],
)
def test_the_origin_makes_the_same_engine(
    made: fakes.FakeEngine | fakes.Recorder, origin: str
) -> None:
    assert made.origin == origin
    assert load_engine(origin).origin == origin


def test_a_simulated_network_takes_the_time_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[float] = []
    monkeypatch.setattr(fake_engine.DEVICE, "run", spent.append)
    for name in ("retinaface-mnet025", "retinaface-mnet025-1280", "emotion-fer48"):
        model = spec(name)
        with fakes.simulated("2,1,1").open(PLAN, model) as runner:
            runner.infer(rows(model, 4))
    assert spent == pytest.approx([0.006, 0.018, (2 + 4 * 295 / 980) / 1000])


def test_a_device_runs_one_batch_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("bench.fakes.device.time.monotonic", lambda: 100.0)
    monkeypatch.setattr("bench.fakes.device.time.sleep", slept.append)
    device = Device()
    device.run(1)
    device.run(2)
    assert slept == [1, 3]


def test_a_device_can_be_scaled_to_a_rate() -> None:
    cost = Cost().with_best_rate(100, 64, faces=1)
    assert cost.best_rate(64, 1) == pytest.approx(100)
    assert cost.best_rate(1, 1) < cost.best_rate(8, 1) < 100
    assert cost.best_rate(64, 0) > 100


def test_a_recorder_writes_which_plans_are_opened(plans: Path, tmp_path: Path) -> None:
    file = tmp_path / "opened"
    (plan,) = plans.glob("onnxruntime/emotion-fer48*.onnx")
    with fakes.recorder(str(file)).open(plan, spec("emotion-fer48")):
        pass
    assert file.read_text().endswith(" emotion\n")
