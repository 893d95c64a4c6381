import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

from training.detector import __main__ as cli  # noqa: E402
from training.detector.annotated import Marked  # noqa: E402
from training.detector.detections import Detections  # noqa: E402
from training.detector.evaluate import Agreement, Trial, evaluate  # noqa: E402
from training.detector.matching import Errors  # noqa: E402
from training.detector.network import RetinaFace  # noqa: E402
from training.detector.pictures import Pictures  # noqa: E402
from training.detector.weights import load_wts, save_wts  # noqa: E402

POINTS = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.4, 0.6], [0.6, 0.6]], np.float32)


@pytest.fixture
def trial() -> Trial:
    rng = np.random.default_rng(0)
    faces, backgrounds, annotated = (
        rng.integers(0, 256, (count, side, side, 3)).astype(np.uint8)
        for count, side in ((4, 250), (3, 100), (5, 80))
    )
    people = Marked(annotated, np.stack([POINTS] * 5))
    return Trial(Pictures(faces, backgrounds), people, 3, 96, 0.5)


def detections(*boxes: tuple[int, int, int, int]) -> Detections:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    points = np.repeat(corners[:, None, :2], 5, 1) + np.arange(10).reshape(5, 2)
    return Detections(corners, np.ones(len(corners), np.float32), points.astype(np.float32))


def test_a_network_agrees_with_itself(trial: Trial) -> None:
    torch.manual_seed(1)  # few false faces: with other seeds there are thousands
    network = RetinaFace().eval()
    figures = json.loads(json.dumps(evaluate(network, network, trial)))
    assert figures["pasted"] == figures["reference"]["pasted"]
    assert figures["landmarks"]["640"]["faces"] == 5
    assert figures["agreement"]["precision"] == 1


def test_agreement_counts_missed_and_extra_faces() -> None:
    agreement = Agreement()
    agreement.add(detections((0, 0, 20, 20), (50, 50, 90, 90)), detections((1, 0, 21, 20)))
    agreement.add(detections(), detections((5, 5, 15, 15)))
    figures = agreement.figures()
    assert figures["precision"] == 0.5
    assert agreement.recall.table()["all"] == {"recall": 0.5, "faces": 2}


def test_a_checkpoint_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = RetinaFace()
    torch.save({"averaged": network.state_dict()}, tmp_path / "checkpoint.pt")
    words = ["detector", "export", str(tmp_path / "checkpoint.pt"), str(tmp_path / "a.wts")]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cli.main()
    name = "body.stage1.0.0.weight"
    loaded = load_wts(tmp_path / "a.wts").state_dict()
    assert torch.equal(loaded[name], network.state_dict()[name])


def test_landmark_errors_are_grouped_by_the_distance_of_the_eyes() -> None:
    errors = Errors()
    small, large = 50 * POINTS, 250 * POINTS
    errors.add(np.stack([small + np.array([1, 0], np.float32), small]), small)
    errors.add(np.empty((0, 5, 2), np.float32), small)
    errors.add((large + np.array([0, 5], np.float32))[None], large)
    figures = errors.figures()
    assert figures["faces"] == 3
    assert figures["found"] == pytest.approx(2 / 3)
    assert figures["mean_error_by_eyes"] == pytest.approx({"<15": 0.1, "40+": 0.1})


def test_weights_of_another_network_are_rejected(tmp_path: Path) -> None:
    save_wts(tmp_path / "a.wts", torch.nn.Linear(2, 2))
    with pytest.raises(KeyError):
        load_wts(tmp_path / "a.wts")
