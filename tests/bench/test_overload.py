"""A short overload: more is offered than in the closed loop, and every answer is counted."""

from pathlib import Path

import pytest

from bench import overload
from bench.load.mix import requests
from tests.server import Server


def test_a_short_overload(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "FACTORS", (0.5, 2.0))
    [content] = requests("640x480, 1 face")
    loads = overload.measure(server.url, content, 0.3)
    assert [load.offered / loads[0].rate for load in loads[1:]] == pytest.approx([0.5, 2.0])
    lines = list(overload.table(loads))
    assert len(lines) == 1 + len(loads)
    assert "1.00" in [line.split(" | ")[2] for line in lines[1:]], "the peak is a load of the table"
    overload.draw(loads, tmp_path / "overload.png")
    assert (tmp_path / "overload.png").stat().st_size > 10_000
