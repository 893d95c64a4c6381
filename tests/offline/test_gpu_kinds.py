"""`emotions build` and `emotions verify` on a machine with GPUs of several kinds."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engines.build import find
from engines.catalog import Catalog
from engines.gpus import VISIBLE
from tests.engines.classifiers.graphs import linear
from tests.service.gpus import KINDS, L4, SLICE, Kinds
from tests.waiting import until

COMMAND = [sys.executable, "-m", "offline.cli"]
MODEL = "landmarks-64"
FASTEST = "tests.service.gpus:fastest:x"


def environment(
    folder: Path, visible: str | None = None, engine: str = Kinds.origin
) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name != VISIBLE}
    given |= {"EMOTIONS_PLANS": str(folder), "EMOTIONS_ENGINE": engine}
    return given if visible is None else given | {VISIBLE: visible}


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(folder, **options),
        capture_output=True,
        text=True,
        check=False,
    )


def test_build_and_verify_run_once_per_kind(tmp_path: Path) -> None:
    built = run(tmp_path, "build", MODEL)
    assert built.returncode == 0, built.stderr
    lines = built.stderr.splitlines()
    assert [line for line in lines if line.startswith("GPU: ")] == [
        f"GPU: {L4}, compute capability 8.9",
        f"GPU: {SLICE}, compute capability 8.0",
    ]
    assert sum("built and verified" in line for line in lines) == 2
    for gpu in KINDS:
        find(Catalog.load().get(MODEL), Kinds((gpu,)), tmp_path)
    verified = run(tmp_path, "verify", MODEL)
    assert verified.returncode == 0, verified.stderr
    assert len(verified.stdout.splitlines()) == 2 * len(set(verified.stdout.splitlines()))
    again = run(tmp_path, "build", MODEL)
    assert again.stderr.count("up to date") == 2


def test_a_model_of_the_user_is_built_for_each_kind(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(linear().SerializeToString())
    given = ("--weights", str(file), "--out", str(tmp_path / "mine.onnx"))
    done = run(tmp_path / "plans", "export", "emotion", *given, "--labels", "happy,neutral,sad")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("built and verified") == 2
    assert done.stderr.splitlines()[-1] == "now run: EMOTIONS_EMOTION=mine emotions serve"


@pytest.mark.parametrize("option", [(), ("--engine", FASTEST)])
def test_all_kinds_are_built_for_the_engine_of_the_first(
    tmp_path: Path, option: tuple[str, ...]
) -> None:
    built = run(tmp_path, "build", MODEL, *option, engine=FASTEST)
    assert built.returncode == 0, built.stderr
    assert built.stderr.count("built and verified") == 2
    for gpu in KINDS:
        find(Catalog.load().get(MODEL), Kinds((gpu,)), tmp_path)


def test_only_visible_kinds_are_built(tmp_path: Path) -> None:
    built = run(tmp_path, "build", MODEL, visible="MIG-1")
    assert built.returncode == 0
    assert (built.stderr.count("GPU: "), built.stderr.count("built and verified")) == (1, 1)


def test_a_failure_ends_the_command_with_its_status_and_message(tmp_path: Path) -> None:
    failed = run(tmp_path, "build", "w600k-mbf")
    assert failed.returncode == 1
    assert failed.stderr.count("emotions models pull w600k-mbf") == 1


@pytest.mark.parametrize(
    ("ending", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_signal_while_the_second_kind_is_built_ends_the_command(
    tmp_path: Path, ending: signal.Signals, status: int
) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        command = [*COMMAND, "build", MODEL, "emotion-fer48", "arcface-mobilefacenet"]
        process = subprocess.Popen(command, env=environment(tmp_path), stderr=output)
        until(lambda: SLICE in log.read_text())
        process.send_signal(ending)
        assert process.wait(60) == status
    assert "Traceback" not in log.read_text()
    assert log.read_text().count("arcface-mobilefacenet: built") == 1
