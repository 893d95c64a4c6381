"""The ONNX file of a trained emotion network gives the scores of Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")
pytest.importorskip("tf2onnx", reason="tf2onnx is in the training environment only")

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import Split
from tests.training.emotion.faces import TINY, TRANSFER, bars, save, smooth
from training.emotion.checkpoint import load_run
from training.emotion.export import export
from training.emotion.join import join
from training.emotion.networks import build
from training.emotion.predict import predict
from training.emotion.recipe import View
from training.emotion.refine import refine

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_the_graph_is_keras_with_a_temperature(tmp_path: Path) -> None:
    model, path = build(TINY), tmp_path / "tiny.onnx"
    weights = [each.copy() for each in model.get_weights()]
    assert export(model, path, temperature=1.5) < 1e-4
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-6)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        faces = bars(count, 2)[0]
        (scores,) = session.run(None, {"faces": faces})
        np.testing.assert_allclose(scores, softmax(predict(model, faces) / 1.5), atol=1e-4)
    assert session.get_inputs()[0].shape == ["batch", 48, 48]
    assert session.get_outputs()[0].name == "scores"
    metadata = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert metadata["labels"] == "angry,disgust,fear,happy,sad,surprise,neutral"


def test_joined_networks_with_views_and_a_fine_one_are_exported(tmp_path: Path) -> None:
    small = replace(TRANSFER, sides={0.0: 36})
    plain = save(build(small), small, tmp_path / "plain")
    refine(plain, tmp_path / "fine")
    dense = save(build(TINY), TINY, tmp_path / "dense")
    split = Split(smooth(), np.arange(7), None)
    views = (View(zoom=1.1), View(up=2), View(mirrored=True))
    join([plain, tmp_path / "fine", dense], tmp_path / "all", split, views)
    assert export(load_run(tmp_path / "all", "last"), tmp_path / "all.onnx", 0.9) < 1e-4
