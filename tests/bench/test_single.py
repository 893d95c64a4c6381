"""The single figures of `python -m bench`, taken from a real server; their values prove nothing."""

from pathlib import Path

import pytest

from bench import single
from bench.scenes import scene
from bench.work import Work
from tests.server import Server


@pytest.fixture
def work(plans: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    return Work.by_environment()


def test_each_target_has_its_figure(
    server: Server, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "IMAGES", 2)
    figures = list(single.figures(server.url, work, seconds=0.05))
    assert [each.target for each in figures] == ["under 1.5 ms", "at least 1.0", "at least 2.0"]
    assert not any("nan" in str(each) for each in figures)


def test_the_pipeline_finds_the_same_in_an_image_decoded_at_need(work: Work) -> None:
    body = scene("4000x3000, 30 faces")
    whole, scaled = (work.answer(body, whole=flag) for flag in (True, False))
    assert whole["width"] == scaled["width"] == 4000
    assert len(whole["faces"]) == len(scaled["faces"]) > 0
