"""A classifier of PyTorch, by the example of docs/weights.md, as an emotion network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch", reason="PyTorch is in the training environment only")

import torch

from engines.classifiers.adapt import Pixels
from engines.classifiers.export import export
from tests.docs.blocks import blocks

FACES = np.random.default_rng(3).integers(0, 256, (5, 48, 48)).astype(np.uint8)
MEAN, SCALE = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def network() -> Any:
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16, 3),
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch has a newer exporter
def test_the_example_gives_the_scores_of_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = blocks("weights.md", "python")
    model = network()
    monkeypatch.chdir(tmp_path)
    exec(example.text, {"model": model})
    labels = ("happy", "neutral", "sad")
    assert export(Path("model.onnx"), Path("own.onnx"), labels, Pixels(MEAN, SCALE)) <= 1e-4
    large = [cv2.resize(face.astype(np.float32), (224, 224)) for face in FACES]
    images = (np.stack(large)[..., None] - MEAN) / SCALE
    batch = torch.tensor(images.transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.inference_mode():
        expected = model.eval()(batch).softmax(1).numpy()
    session = onnxruntime.InferenceSession("own.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"faces": FACES})
    np.testing.assert_allclose(scores, expected, atol=1e-4)
