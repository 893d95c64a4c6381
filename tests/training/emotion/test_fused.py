"""The fused network trains as the Keras model does, which it shares its weights with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")
pytest.importorskip("torch", reason="PyTorch is in the training environment only")

from training.emotion.depthwise import available

ROOT = Path(__file__).parents[3]
EMBEDDER = ROOT / "engines/models/arcface-mobilefacenet.wts"


@pytest.mark.skipif(not available(), reason="this machine lacks a C++ compiler")
def test_it_reads_and_learns_as_keras_does() -> None:
    command = [sys.executable, "-m", "tests.training.emotion.fused_beside_keras", str(EMBEDDER)]
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    result = json.loads(done.stdout)
    for kind, precision in (("float32", 1e-3), ("bfloat16", 0.02), ("fine", 1e-3)):
        assert result["logits"][kind] < precision, kind
        assert result["cosine"][kind] > 1 - precision, kind
    assert result["losses"][-1] < result["losses"][0] / 2
    assert result["stem kept"]
    assert result["chosen"] == [True, True, False]
    assert result["used"] == [True, True]
    assert len(result["seconds"]) == 3
