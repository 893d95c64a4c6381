"""`emotions bulk --ray`: a cluster of two nodes, one of which is killed.

Ray runs only in child processes: it changes the process that it runs in, and warns.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]
import pyarrow.parquet
import pytest

from bench.measure.ports import free_ports
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE
from tests.waiting import until

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
FILES = 40
# A head node notices within two seconds that a node is gone; the default is about 15.
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "4",
}


class Node(NamedTuple):
    """A node of Ray as a process with children, and its log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """End all processes of the node at once, as a machine that loses power."""
        if self.process.poll() is not None:
            return
        for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()


def node(folder: Path, plans: Path, *arguments: str) -> Node:
    """Start a node with one core."""
    log = folder / f"{len(list(folder.glob('*.log')))}.log"
    resources = ("--num-cpus", "1", "--object-store-memory", str(80 << 20))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*RAY, "start", "--block", *resources, *arguments],
            env=environment(plans),
            stdout=output,
            stderr=output,
        )
    until(lambda: "Ray runtime started" in log.read_text() or process.poll() is not None)
    return Node(process, log)


def environment(plans: Path) -> dict[str, str]:
    settings = {"EMOTIONS_ENGINE": "onnxruntime", "EMOTIONS_PLANS": str(plans)}
    return os.environ | ENVIRONMENT | settings


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(FILES):
        shutil.copy([ASTRONAUT_FILE, HOPPER_FILE][number % 2], folder / f"{number:02d}.png")
    (folder / "broken.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for Ray, with a short path: its sockets have names of at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ray-") as name:
        yield Path(name)


def start(plans: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "offline.cli", "bulk", *map(str, arguments)],
        env=environment(plans),
        stderr=subprocess.PIPE,
        text=True,
    )


def names(target: Path) -> list[str]:
    return sorted(pyarrow.parquet.read_table(target / "images")["file"].to_pylist())


def faces(target: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(target / "faces").to_pylist()
    return sorted(rows, key=lambda row: (row["file"], row["face"]))


def done(target: Path) -> int:
    return len(list(target.glob("images/*.parquet")))


def test_a_node_that_dies_loses_nothing_and_doubles_nothing(
    plans: Path, library: Path, folder: Path, tmp_path: Path
) -> None:
    expected = sorted(path.name for path in library.iterdir())
    local, target = tmp_path / "local", tmp_path / "target"
    start(plans, library, local).communicate()
    port = str(free_ports(1)[0])
    head = ("--head", "--port", port, "--temp-dir", str(folder), "--include-dashboard", "false")
    nodes = [node(folder, plans, *head)]
    try:
        nodes.append(node(folder, plans, "--address", f"127.0.0.1:{port}"))
        address = f"127.0.0.1:{port}"
        command = start(plans, library, target, "--ray", address, "--files-per-part", "2")
        until(lambda: done(target) >= 2 or command.poll() is not None)
        nodes[1].kill()
        _, errors = command.communicate()
    finally:
        for each in nodes:
            each.kill()
    assert command.returncode == 1, errors
    assert "1 of the files could not be analyzed" in errors
    assert names(target) == expected
    assert faces(target) == faces(local)


def test_a_cluster_of_this_machine_that_is_interrupted_continues(
    plans: Path, library: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    arguments = (library, target, "--ray", "local", "--files-per-part", "2")
    command = start(plans, *arguments)
    until(lambda: done(target) >= 2 or command.poll() is not None)
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate()
    assert command.returncode == 130, errors
    assert "emotions: stopped; the same command continues" in errors
    assert "Traceback" not in errors
    before = done(target)
    _, errors = start(plans, *arguments).communicate()
    assert f"{2 * before} files done before" in errors
    assert len(names(target)) == len(set(names(target))) == FILES + 1


def test_no_cluster_at_that_address(plans: Path, library: Path, tmp_path: Path) -> None:
    command = start(plans, library, tmp_path / "target", "--ray", "127.0.0.1:9")
    _, errors = command.communicate()
    assert command.returncode == 1
    assert "emotions: Ray at 127.0.0.1:9: Connection refused" in errors
    assert "Traceback" not in errors
