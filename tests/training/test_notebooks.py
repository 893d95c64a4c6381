"""The notebook about evaluating and retraining runs, on noise in place of FER-2013."""

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")

from tests.docs.fer2013 import noise, write_fer2013
from tests.docs.notebooks import printed, run


def test_evaluating_and_retraining(own_plans: Path, tmp_path: Path) -> None:
    write_fer2013(tmp_path / "fer2013.csv", noise())
    short = {"--batch 64": "--batch 7", "--epochs 12": "--epochs 1"}
    notebook = run("evaluate", tmp_path, own_plans, short)
    text = printed(notebook)
    assert "of 14 faces" in text
    assert '"emotion"' in text
    assert (tmp_path / "own.onnx").exists()
