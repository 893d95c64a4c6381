"""Errors of the shipped landmark network on held-out annotated faces."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch lives in the environment for training")

from training.detector import annotated
from training.detector.pictures import Pictures
from training.detector.weights import load_wts
from training.landmarks.evaluate import evaluate

ROOT = Path(__file__).parents[3]
MODELS, DATA = ROOT / "engines" / "models", ROOT.parent / "shared" / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="the annotated faces are not beside the checkout")
def test_landmarks_in_scenes_are_within_five_per_cent_of_the_eyes_distance() -> None:
    people = annotated.held_out(DATA / annotated.ARCHIVE)
    detector = load_wts(MODELS / "retinaface-mnet025.wts")
    backdrops = Pictures.load(DATA, limit=200)
    figures = evaluate(MODELS / "landmarks-64.onnx", detector, people, backdrops)
    for side in ("320", "640"):
        found = figures[side]
        assert found["placed"]["mean_error"] < 0.05 < found["detector"]["mean_error"]
        assert found["placed"]["found"] > 0.9
