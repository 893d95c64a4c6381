"""`python -m bench.host`: its tables from figures that are known, and a whole run, very short."""

import json
import os
from pathlib import Path

import pytest

from bench.host import report
from bench.host.__main__ import main
from bench.host.turns import EIGHT_FACES, ONE_FACE, CoresTurn, DeviceTurn, HostTurn
from bench.host.yardstick import decoded
from bench.load import Answer, Result
from bench.processes import Usage, pinned
from bench.scenes import scene
from bench.simulated import Cost


def load(rate: int, *milliseconds: float) -> Result:
    """A second in which images were answered at a rate, with these latencies in turns."""
    times = [milliseconds[i % len(milliseconds)] / 1000 for i in range(rate)]
    return Result(answers=[Answer(200, each, 0.5) for each in times], elapsed=1.0, cpu_s=0.02)


def host_turn(rate: int, decode: float = 400) -> HostTurn:
    return HostTurn(decode, load(rate, 10), Usage(0.5, 321), {"detector": 3.0})


def test_the_host_is_compared_with_decoding() -> None:
    found = {
        ONE_FACE: [host_turn(100), host_turn(200), host_turn(300)],
        EIGHT_FACES: [host_turn(80), host_turn(150), host_turn(150)],
    }
    lines = "\n".join(report.host(found)).splitlines()
    row = f"| {ONE_FACE} | 400 | 200 | 0.50 | 2.50, 0.10 | 10, 10 | 3.0, -, - | 321 | 0 |"
    assert lines[2] == row
    assert lines[-1] == "640x480 with eight faces over one face: 0.75."
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_failures_are_counted() -> None:
    turn = host_turn(100)
    turn.load.errors["late"] = 2
    assert list(report.host({ONE_FACE: [turn]}))[-1].endswith("| 2 |")


def test_two_cores_are_compared_with_one() -> None:
    lines = list(report.cores([CoresTurn(load(100, 1), load(190, 1))] * 3))
    assert lines[-1] == "| 2 | 190 | 1.90 |"


def test_the_service_is_compared_with_what_a_device_can_do() -> None:
    batches = {"detector": 8.0, "landmarks": 7.5, "emotion": 7.0}
    turn = DeviceTurn(load(90, 20), load(63, *[10] * 62, 25), batches)
    lines = "\n".join(report.device([turn], Cost(1, 2), 100)).splitlines()
    assert lines[0].startswith("Simulated device: 1.00 ms per batch and 2.00 ms per image")
    assert lines[-1].startswith("| 100 | 90 | 0.90 | 20, 20 | 8.0, 7.5, 7.0 | 63 | 10, ")
    assert lines[-1].count("|") == lines[-2].count("|") == lines[-3].count("|")


def test_the_yardstick_decodes() -> None:
    assert decoded(scene(ONE_FACE), 0.05) > 0


def test_cores_are_pinned_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    with pinned({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("topology", ["device", "local"])
def test_a_short_run_ends_with_one_json_object(
    topology: str, plans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    quick = ["--seconds", "0.3", "--rounds", "1", "--clients", "4", "--topology", topology]
    main([*quick, "--only", EIGHT_FACES, "device"])
    text = capsys.readouterr().out
    last = json.loads(text.splitlines()[-1])
    assert set(last) == {"decode", "host", "ratio"}
    assert last["decode"] > 0
    assert last["ratio"] == pytest.approx(last["host"] / last["decode"], abs=0.001)
    for name in (ONE_FACE, EIGHT_FACES):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert row.endswith("| 0 |")
    assert "1920x1080" not in text
    assert "Simulated device" in text
    assert "nan" not in text
