from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

import training.detector.__main__ as detector  # noqa: E402
import training.embedder.__main__ as embedder  # noqa: E402
import training.landmarks.__main__ as landmarks  # noqa: E402
from tensorrtx import wts  # noqa: E402
from training import command, loop  # noqa: E402
from training.detector.network import RetinaFace  # noqa: E402
from training.embedder.network import MobileFaceNet  # noqa: E402


@pytest.mark.parametrize("package", [detector, embedder])
def test_a_flag_for_every_setting(package: ModuleType, tmp_path: Path) -> None:
    parser = ArgumentParser()
    package.add_train(parser)
    arguments = ["--data", ".", "--teacher", "t.wts", "--out", str(tmp_path / "run")]
    given, _ = parser.parse_known_args(arguments)
    settings = command.settings_of(package.Settings, given)
    assert (tmp_path / "run").is_dir()
    assert {field.name for field in fields(settings)} < set(vars(given))


@pytest.mark.parametrize(
    ("package", "network", "part"),
    [(detector, RetinaFace, "averaged"), (embedder, MobileFaceNet, "student")],
)
def test_a_checkpoint_is_exported(
    package: ModuleType,
    network: Callable[[], Any],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop.save(tmp_path, {"step": 3, part: network().state_dict()})
    checkpoint, out = tmp_path / "checkpoint.pt", tmp_path / "student.wts"
    monkeypatch.setattr("sys.argv", ["student", "export", str(checkpoint), str(out)])
    package.main()
    assert wts.read(out)
    assert set(tmp_path.iterdir()) == {checkpoint, out}


@pytest.mark.parametrize("package", [detector, embedder, landmarks])
def test_a_new_run_does_not_replace_a_checkpoint(
    package: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loop.save(tmp_path, {"step": 3})
    given = {detector: ("data", "teacher"), embedder: ("teacher",), landmarks: ("data",)}
    options = [f"--{name}={tmp_path}" for name in ("out", *given[package])]
    monkeypatch.setattr("sys.argv", ["student", "train", *options])
    with pytest.raises(SystemExit) as ended:
        package.main()
    assert ended.value.code == 1
    assert "--resume" in capsys.readouterr().err
    assert loop.load(tmp_path / loop.CHECKPOINT) == {"step": 3}
