"""A short soak: every answer is the expected one, and no descriptor or thread is left."""

import random
from pathlib import Path

import pytest

import bench.soak
from bench.load.mix import mix
from bench.soak import draw, soak, verdict
from tests.server import Server


async def test_a_short_soak(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.soak, "REST_S", 0.3)
    requests = 4 * len(mix(random.Random(0)))
    windows = await soak(server.url, server.process.pid, requests, number=2)
    assert not any(window.wrong for window in windows), [window.wrong for window in windows]
    first, last = windows[0].at_rest, windows[-1].at_rest
    assert last.descriptors <= first.descriptors + 8
    assert last.threads <= first.threads + 2
    assert "0 unexpected answers" in verdict(windows)
    draw(windows, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").stat().st_size > 10_000
