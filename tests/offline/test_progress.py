"""A terminal shows a bar, a log only the lines."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    files = [str(ASTRONAUT_FILE), str(HOPPER_FILE)]
    return [sys.executable, "-m", "offline.cli", "predict", *files, "--out", str(tmp_path / "out")]


@pytest.fixture
def environment(plans: Path) -> dict[str, str]:
    # FORCE_COLOR is set in Jupyter, for the commands of a cell, too.
    color = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "99"}
    return os.environ | color | {"EMOTIONS_PLANS": str(plans)}


def test_a_log_has_no_bar(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"2 images, 2 faces" in done.stderr
    assert b"\x1b" not in done.stderr


def test_a_terminal_shows_a_bar(command: list[str], environment: dict[str, str]) -> None:
    ours, its = os.openpty()
    shown = b""
    with subprocess.Popen(command, env=environment, stderr=its):
        os.close(its)
        with contextlib.suppress(OSError):  # the command has closed the terminal
            while True:
                shown += os.read(ours, 10_000)
    os.close(ours)
    assert b"2/2" in shown
    assert b"files/s" in shown
