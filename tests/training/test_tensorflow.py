"""Everything that needs Keras on TensorFlow: exports to ONNX."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "tensorflow"


def test_exports() -> None:
    pytest.importorskip("tf2onnx", reason="tf2onnx is in the training environment only")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--timeout", "300", str(FOLDER)],
        cwd=FOLDER.parents[2],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
