from pathlib import Path

import pytest

from training import curve
from training.schedule import Clock, learning_rate


def test_rate_rises_then_falls() -> None:
    assert learning_rate(1.0, 0, 0.0, 10, 1e-3) == pytest.approx(0.1)
    assert learning_rate(1.0, 20, 0.5, 10, 1e-3) == pytest.approx(0.5)
    assert learning_rate(1.0, 99, 1.0, 10, 1e-3) == pytest.approx(1e-3)


def test_the_clock_ends_with_steps_or_minutes() -> None:
    assert Clock(100).progress(50) == 0.5
    assert Clock(100, minutes=1.0, spent=60.0).progress(1) == 1


def test_a_curve_keeps_its_columns(tmp_path: Path) -> None:
    curve.append(tmp_path, {"step": 1, "loss": 0.5})
    curve.append(tmp_path, curve.mean([{"step": 2, "loss": 1.0}, {"step": 4, "loss": 2.0}]))
    assert (tmp_path / "curve.csv").read_bytes() == b"step,loss\r\n1,0.5\r\n3.0,1.5\r\n"
