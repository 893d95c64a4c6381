"""Errors that a user can fix are reported in one line; others keep their traceback."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from engines.errors import DataError
from tensorrtx.errors import WeightsError
from training.emotion.__main__ import main
from training.errors import TrainingError, reported


@pytest.mark.parametrize("kind", [DataError, TrainingError, WeightsError])
def test_one_line(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, reported(ArgumentParser("training")):
        raise kind("add --frozen LAYER")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "training: add --frozen LAYER\n"


def test_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), reported(ArgumentParser("training")):
        (tmp_path / "none").read_bytes()
    assert capsys.readouterr().err == f"training: {tmp_path}/none: No such file or directory\n"


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ValueError, match="defect"), reported(ArgumentParser("training")):
        raise ValueError("defect")


WRONG = {
    "mirrored, zoom=, up= and side=, not turned": ["join", "a", "b", "--views", "turned=3"],
    "the first side must start at 0": ["train", "--sides", "0.5:48"],
    "a zoom above 0": ["join", "a", "b", "--views", "zoom=-1"],
    "no.npz: No such file or directory": ["join", "a", "b"],
}


@pytest.mark.parametrize("why", WRONG)
def test_the_command_reports(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if why.startswith("no.npz"):
        pytest.importorskip("keras", reason="Keras lives in the environment for training")
    named = ["--data", str(tmp_path / "no.npz"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["emotion", *WRONG[why], *named])
    with pytest.raises(SystemExit):
        main()
    assert why in capsys.readouterr().err
