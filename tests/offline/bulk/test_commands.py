"""The Python of docs/platforms.md reads what `emotions bulk` has written."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from offline.bulk.bulk import bulk
from offline.bulk.local import run_local
from offline.bulk.types import BulkJob
from service.settings import Settings
from tests.docs.blocks import Block, blocks
from tests.photographs import HOPPER_FILE

READING = [block for block in blocks("platforms.md", "python") if '"results/' in block.text]


@pytest.mark.parametrize("block", READING)
def test_the_results_are_read(
    block: Block, plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photographs").mkdir()
    shutil.copy(HOPPER_FILE, "photographs/a.jpg")
    (tmp_path / "photographs" / "broken.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    bulk(BulkJob(settings, "photographs", "results"), run_local, Console(quiet=True), 256)
    found: dict[str, Any] = {}
    exec(block.text, found)
    assert found["faces"]["file"].to_pylist() == ["a.jpg"]
    assert found["failed"]["error"].to_pylist() == ["corrupt_image"]
