"""`python -m bench.recovery`: a worker is killed, and only its own images are analyzed again."""

from pathlib import Path

import pytest

from bench import recovery
from bench.load.result import Answer, Result
from bench.recovery import Kill, Recovery


def found(kill: Kill, unready: list[float]) -> Recovery:
    answers = [Answer(200, 0.01, at / 10) for at in range(100)]
    return Recovery([kill], Result(answers=answers, elapsed=10.0), unready)


def test_a_kill_is_a_line_of_the_table() -> None:
    calm = found(Kill(4.0, 0, 0, 0.75), [])
    assert calm.row(0) == "| 1 | 10 | 10 | 10 | 10 | 10 | 0.00 | 0 | 0 | 0.75 |"
    assert recovery.HEAD.splitlines()[0].count("|") == calm.row(0).count("|")
    assert not calm.failed
    never = found(Kill(4.0, 0, 0, None), [])
    assert never.row(0).endswith("| - |")


@pytest.mark.parametrize(
    ("kill", "unready"),
    [(Kill(4.0, 1, 0, 0.5), []), (Kill(4.0, 0, 4, 0.5), []), (Kill(4.0, 0, 0, 0.5), [4.1])],
)
def test_a_disturbance_of_other_workers_is_a_failure(kill: Kill, unready: list[float]) -> None:
    assert found(kill, unready).failed


@pytest.mark.parametrize("topology", ["local", "device"])
def test_a_killed_worker_disturbs_no_other(
    topology: str, plans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    options = ["--kills", "1", "--between", "0.8", "--clients", "4", "--workers", "2"]
    assert recovery.main([*options, "--topology", topology]) == 0
    assert "| 0.00 | 0 | 0 |" in capsys.readouterr().out
