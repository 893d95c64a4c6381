"""`python -m bench.recovery`: a worker is killed, and only its own images are run again."""

from pathlib import Path

import pytest

from bench import recovery
from bench.load import Answer, Result
from bench.recovery import Kill, Recovery


def found(kill: Kill, unready: list[float]) -> Recovery:
    answers = [Answer(200, 0.01, at / 10) for at in range(100)]
    return Recovery([kill], Result(answers=answers, elapsed=10.0), unready)


def test_a_kill_is_a_row() -> None:
    calm = found(Kill(4.0, 0, 0, 0.75), [])
    assert calm.row(0) == "| 1 | 10 | 10 | 10 | 10 | 10 | 0.00 | 0 | 0 | 0.75 |"
    assert recovery.HEAD.count("|") == calm.row(0).count("|")
    assert not calm.failed
    never = found(Kill(4.0, 0, 0, None), [])
    assert never.row(0).endswith("| - |")


@pytest.mark.parametrize(
    ("kill", "unready"),
    [(Kill(4.0, 1, 0, 0.5), []), (Kill(4.0, 0, 4, 0.5), []), (Kill(4.0, 0, 0, 0.5), [4.1])],
)
def test_what_a_kill_must_not_disturb(kill: Kill, unready: list[float]) -> None:
    assert found(kill, unready).failed


@pytest.mark.parametrize("topology", ["local", "device"])
def test_a_worker_is_killed_and_nobody_else_notices(
    topology: str, plans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setattr(recovery, "BETWEEN_S", 1.5)
    monkeypatch.setattr(recovery, "REPLACED_S", 1.0)
    given = ["--kills", "1", "--clients", "4", "--workers", "2", "--topology", topology]
    assert recovery.main(given) == 0
    assert "| 0.00 | 0 | 0 |" in capsys.readouterr().out
