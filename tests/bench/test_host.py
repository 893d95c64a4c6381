"""`python -m bench.host`: its tables from known figures, and short runs."""

import json
from pathlib import Path

import pytest

from bench.fakes.device import Cost
from bench.host import report
from bench.host.__main__ import main
from bench.host.rounds import EIGHT_FACES, CoresRound, DeviceRound, HostRound
from bench.inputs.scenes import ONE_FACE
from bench.load.result import Answer, Result
from bench.measure.processes import Usage
from bench.measure.service import Measured


def load(rate: int, *milliseconds: float) -> Result:
    """The answers of one second, with these latencies in turns."""
    times = [milliseconds[i % len(milliseconds)] / 1000 for i in range(rate)]
    return Result(answers=[Answer(200, each, 0.5) for each in times], elapsed=1.0, cpu_s=0.02)


def measured(rate: int, latency_ms: float, **batches: float) -> Measured:
    return Measured(load(rate, latency_ms), Usage(0.5, 321), batches)


def host_round(rate: int) -> HostRound:
    return HostRound(400, measured(rate, 10, detector=3.0))


def test_the_host_is_compared_with_decoding() -> None:
    found = {
        ONE_FACE: [host_round(100), host_round(200), host_round(300)],
        EIGHT_FACES: [host_round(80), host_round(150), host_round(150)],
    }
    lines = "\n".join(report.host(found)).splitlines()
    row = f"| {ONE_FACE} | 400 | 200 | 0.50 | 2.50, 0.10 | 10, 10 | 3.0, -, - | 321 | 0 |"
    assert lines[2] == row
    assert lines[-1].endswith("0.75.")
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_failures_are_counted() -> None:
    found = host_round(100)
    found.service.load.errors["late"] = 2
    assert list(report.host({ONE_FACE: [found]}))[-1].endswith("| 2 |")


def test_two_cores_are_compared_with_one() -> None:
    lines = list(report.cores([CoresRound(load(100, 1), load(190, 1))] * 3))
    assert lines[-1] == "| 2 | 190 | 1.90 |"


def test_the_service_is_compared_with_the_simulated_device() -> None:
    full = measured(90, 20, detector=8.0, landmarks=7.5, emotion=7.0)
    found = DeviceRound(full, load(63, *[10] * 62, 25))
    lines = "\n".join(report.device([found], Cost(1, 2), 100)).splitlines()
    assert "1.00 ms per batch" in lines[0]
    assert "2.00 ms per image" in lines[0]
    assert lines[-1].startswith("| 100 | 90 | 0.90 | 20, 20 | 8.0, 7.5, 7.0 | 63 | 10, ")
    assert lines[-1].count("|") == lines[-2].count("|") == lines[-3].count("|")


@pytest.mark.parametrize(("topology", "part"), [("device", "device"), ("local", ONE_FACE)])
def test_a_short_run_ends_with_one_json_object(
    topology: str,
    part: str,
    plans: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    short = ["--seconds", "0.2", "--rounds", "1", "--clients", "4", "--topology", topology]
    main([*short, "--only", part])
    text = capsys.readouterr().out
    last = json.loads(text.splitlines()[-1])
    assert set(last) == {"decode", "host", "ratio"}
    assert last["decode"] > 0
    assert last["ratio"] == pytest.approx(last["host"] / last["decode"], abs=0.001)
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {ONE_FACE} |")]
    assert row.endswith("| 0 |")
    assert ("Simulated device" in text) == (part == "device")
    assert "4 clients" in text
    assert "1920x1080" not in text
    assert "nan" not in text
