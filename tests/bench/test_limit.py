"""`python -m bench`: its tables from known figures, and a short run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import soak
from bench.limit import report, rounds
from bench.limit.rounds import Limit, Round
from bench.load.result import Answer, Result
from bench.measure.processes import Usage
from bench.measure.service import Measured, Serving
from service.settings import Settings
from tests.server import Server

ROW = "640x480, 1 face"
PNG = b"\x89PNG"


def result(rate: int, *milliseconds: float) -> Result:
    """The answers of one second; the last of the latencies is repeated."""
    times = [*milliseconds, *[milliseconds[-1]] * (rate - len(milliseconds))]
    answers = [Answer(200, ms / 1000, 0.5) for ms in times]
    return Result(answers=answers, elapsed=1.0, cpu_s=0.002, clients=3)


def known(rate: int, mib: float, **batches: float) -> Round:
    many = Measured(result(rate, 10), Usage(0.4, mib), batches or {"detector": 1.5})
    return Round(Limit(40, 90), result(5, 7), many, result(9, 20))


def test_tables_have_medians_and_the_highest_peak(tmp_path: Path) -> None:
    found = {ROW: [known(20, 300), known(10, 400), known(30, 350)], "mixed": [known(10, 500)]}
    head, *rates = report.throughput(found)
    assert "3 clients" in head
    assert rates == [
        f"| {ROW} | 90 | 40.0 | 20.0 | 0.50 | 10, 10, 10 | 7, 7, 7 | 20, 20, 20 | 0 |",
        "| mixed | 90 | 40.0 | 10.0 | 0.25 | 10, 10, 10 | 7, 7, 7 | 20, 20, 20 | 0 |",
    ]
    assert list(report.cost(found))[1:] == [
        f"| {ROW} | 20.0 | 0.10 | 400 | 1.5 |",
        "| mixed | 40.0 | 0.20 | 500 | 1.5 |",
    ]
    figures = {figure.target: figure.value for figure in report.targets(found)}
    assert figures == {"at least 0.90": 0.5, "at most 2.0": 1.0, "under 700 MB": 500 * 2**20 / 1e6}
    report.draw(found, tmp_path / "bench.png", "when and where")
    assert (tmp_path / "bench.png").read_bytes().startswith(PNG)


def test_failures_are_counted_and_an_idle_network_has_no_batch() -> None:
    bad = known(20, 300)
    bad.many.load.errors["late"] = 3
    bad.steady.answers.append(Answer(503, 0.001, 0.5))
    found = {ROW: [bad], "mixed": [known(10, 500, emotion=2.0)]}
    assert list(report.throughput(found))[1].endswith("| 4 |")
    assert [line.split("|")[-3:-1] for line in list(report.cost(found))[1:]] == [
        [" 1.5 ", " - "],
        [" - ", " 2.0 "],
    ]


def test_the_limit_of_a_mix_is_that_of_its_mean_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {b"quick": 30.0, b"slow": 10.0}
    monkeypatch.setattr(rounds, "MIXED", dict.fromkeys(("quick", "slow")))
    monkeypatch.setattr(rounds, "scene", str.encode)
    monkeypatch.setattr(rounds, "plain", lambda _s, body, _t: Limit(rates[body], 2 * rates[body]))
    mixed, slow = (rounds.limit_of(name, Settings(), 1) for name in ("mixed", "slow"))
    assert mixed == pytest.approx((15, 30))
    assert slow == (10, 20)


def test_one_command_measures_writes_and_draws(
    server: Server, plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def serving() -> Iterator[Serving]:
        yield Serving(server.url, server.process.pid, 1.5)

    monkeypatch.setattr(command, "serving", serving)
    monkeypatch.setattr(soak, "REST_S", 0.0)
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setenv("EMOTIONS_ENGINE", "bench.fakes:instant:1")
    short = ["--rounds", "1", "--seconds", "0.2", "--clients", "2", "--growth", "40"]
    command.main([*short, "--row", ROW, "--out", str(tmp_path)])
    text = (tmp_path / "bench.md").read_text()
    title, rates, costs, targets, verdict = text.split("\n\n")
    for fact in ("2 clients", "onnxruntime fp32", "1 round"):
        assert fact in title
    assert "| 2 clients, images/s |" in rates
    assert f"| {ROW} |" in rates
    for network in ("detector", "landmarks", "emotion"):
        assert network in costs
    for target in ("0.90", "2.0", "700 MB", "1.50 s | under 5 s", "under 1 %"):
        assert target in targets
    assert "after 40 requests, more than after 4 |" in targets
    assert "0 unexpected answers" in verdict
    assert "nan" not in text
    assert (tmp_path / "bench.png").read_bytes().startswith(PNG)
