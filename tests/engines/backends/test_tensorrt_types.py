"""Every call of TensorRT exists with these parameters in the real bindings of 10 and of 11."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stubs import MAJORS, ROOT, STUBS

CALLERS = [str(path) for path in (ROOT / "engines/backends/tensorrt").glob("*.py")]
GONE_IN_11 = """
import tensorrt as trt

def build(config: trt.IBuilderConfig) -> None:
    config.set_flag(trt.BuilderFlag.FP16)
"""


def checked(major: str, *files: str) -> subprocess.CompletedProcess[str]:
    stubs = STUBS / major
    if not (stubs / "tensorrt").is_dir():
        pytest.skip("no types of TensorRT here; `python -m tests.stubs` makes them")
    cache = ROOT / "build" / "mypy" / major
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", f"--cache-dir={cache}", *files],
        env=os.environ | {"MYPYPATH": str(stubs)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("major", MAJORS)
def test_calls_are_those_of_the_real_bindings(major: str) -> None:
    found = checked(major, *CALLERS)
    assert found.returncode == 0, found.stdout


def test_a_call_that_a_version_lacks_is_an_error(tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    old.write_text(GONE_IN_11)
    assert checked("10", str(old)).returncode == 0
    assert 'no attribute "FP16"' in checked("11", str(old)).stdout
