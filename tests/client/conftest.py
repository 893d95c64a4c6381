"""A folder of images, one of them broken."""

import shutil
from pathlib import Path

import pytest

from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    shutil.copy(ASTRONAUT_FILE, tmp_path / "b" / "astronaut.png")
    shutil.copy(HOPPER_FILE, tmp_path / "b" / "hopper.jpg")
    (tmp_path / "a.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    (tmp_path / "c.txt").write_text("no image")
    return tmp_path
