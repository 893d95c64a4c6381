"""Real pods behind a real nginx: scaled by the answers of a real Prometheus, and replaced."""

import shutil
from pathlib import Path

import pytest

from bench.load.client import run
from bench.scaling import __main__ as command
from bench.scaling import update
from bench.scaling.balancer import RETRY
from bench.scaling.update import Variant

MISSING = [name for name in ("nginx", "prometheus") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(autouse=True)
def _plans(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))


def test_steps_of_a_load_scale_the_pods(capsys: pytest.CaptureFixture[str]) -> None:
    """Two pods get the work of three; whether all of it is answered is up to this machine."""
    options = ["--loads", "3", "--seconds", "2.5", "--factor", "60", "--timeline"]
    assert command.main(options) in (0, 1)
    text = capsys.readouterr().out
    assert "| seconds | wanted | ready | busy | queue |" in text
    assert "Pods that failed: 0." in text
    head, step = (line.split(" | ") for line in text.splitlines() if line.count(" | ") == 11)
    found = dict(zip(head, step, strict=True))
    assert int(found["most pods"]) > 2
    assert found["others"] == "0" or found["others"].endswith(" (504)")


def test_a_rolling_update_under_load_loses_no_request() -> None:
    variant = Variant(sleep_s=0.5, unrouted_s=0.2, retry=RETRY, safe=True)
    found = run(update.measure(variant, 20, command.CALLS, pods=1))
    assert not found.failed
    assert found.replaced == 1
    assert update.row_of(variant, [found]).startswith("| 0.5 | 0.2 | yes | 1 |")
    assert update.HEAD.splitlines()[0].count("|") == update.row_of(variant, [found]).count("|")
