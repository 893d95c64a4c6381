"""`python -m bench`, whole and short, and its tables from figures that are known."""

import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import report, rounds, single, soak
from bench.limit import Limit
from bench.load import Answer, Result
from bench.processes import Usage
from bench.rounds import Round
from service.settings import Settings

ROW = "640x480, 1 face"
PNG = b"\x89PNG"


def result(rate: int, *milliseconds: float) -> Result:
    """Answers at a rate over a second, of which these latencies are known."""
    times = [*milliseconds, *[milliseconds[-1]] * (rate - len(milliseconds))]
    return Result(answers=[Answer(200, ms / 1000, 0.5) for ms in times], elapsed=1.0, cpu_s=0.002)


def known(rate: int, mib: float) -> Round:
    many = result(rate, 10)
    return Round(
        Limit(40, 90), result(5, 7), many, result(9, 20), Usage(0.4, mib), {"detector": 1.5}
    )


def test_tables_hold_medians_and_the_highest_peak(tmp_path: Path) -> None:
    found = {ROW: [known(20, 300), known(10, 400), known(30, 350)], "mixed": [known(10, 500)]}
    assert list(report.throughput(found))[2:] == [
        f"| {ROW} | 90 | 40.0 | 20.0 | 0.50 | 10, 10, 10 | 7, 7, 7 | 20, 20, 20 | 0 |",
        "| mixed | 90 | 40.0 | 10.0 | 0.25 | 10, 10, 10 | 7, 7, 7 | 20, 20, 20 | 0 |",
    ]
    assert list(report.cost(found))[2:] == [
        f"| {ROW} | 20.0 | 0.10 | 400 | 1.50 |",
        "| mixed | 40.0 | 0.20 | 500 | 1.50 |",
    ]
    figures = {figure.target: figure.value for figure in report.targets(found)}
    assert figures == {"at least 0.90": 0.5, "at most 2.0": 1.0, "under 700 MB": 500 * 2**20 / 1e6}
    report.draw(found, tmp_path / "bench.png", "when and where")
    assert (tmp_path / "bench.png").read_bytes().startswith(PNG)


def test_failures_are_told_and_a_network_that_was_not_asked() -> None:
    bad = known(20, 300)
    bad.many.errors["late"] = 3
    bad.steady.answers.append(Answer(503, 0.001, 0.5))
    found = {ROW: [bad], "mixed": [known(10, 500)._replace(batches={"emotion": 2.0})]}
    assert list(report.throughput(found))[2].endswith("| 4 |")
    assert [row.split("|")[-3:-1] for row in list(report.cost(found))[2:]] == [
        [" 1.50 ", " - "],
        [" - ", " 2.00 "],
    ]


def test_the_limit_of_a_mix_is_that_of_its_mean_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {b"quick": 30.0, b"slow": 10.0}
    monkeypatch.setattr(rounds, "MIXED", dict.fromkeys(("quick", "slow")))
    monkeypatch.setattr(rounds, "scene", str.encode)
    monkeypatch.setattr(
        rounds, "images_a_second", lambda _s, body, _t: Limit(rates[body], 2 * rates[body])
    )
    mixed, slow = (rounds.limit_of(name, Settings(), 1) for name in ("mixed", "slow"))
    assert mixed == pytest.approx((15, 30))
    assert slow == (10, 20)


def test_one_command_measures_writes_and_draws(
    plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setattr(rounds, "CLIENTS", 2)
    monkeypatch.setattr(soak, "REST_S", 0.0)
    monkeypatch.setattr(single, "IMAGES", 2)
    monkeypatch.setattr(single, "LARGE", ROW)
    given = ["bench", "--row", ROW, "--rounds", "1", "--seconds", "0.2", "--growth", "40"]
    monkeypatch.setattr(sys, "argv", [*given, "--out", str(tmp_path)])
    bench.main()
    text = (tmp_path / "bench.md").read_text()
    head, rates, costs, targets, verdict = text.split("\n\n")
    for fact in ("32 clients and the server share", "onnxruntime fp32", "1 round"):
        assert fact in head
    assert f"| {ROW} |" in rates
    assert "items a batch: detector | items a batch: landmarks | items a batch: emotion" in costs
    for wanted in ("0.90", "2.0", "700 MB", "5 s", "1.5 ms", "1.0", "under 1 %"):
        assert wanted in targets
    assert "resident memory after 40 requests, more than after 4" in targets
    assert "0 unexpected answers" in verdict
    assert "nan" not in text
    assert (tmp_path / "bench.png").read_bytes().startswith(PNG)
