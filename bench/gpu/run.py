"""Runs the stages of a GPU day, each in a separate process and within its time."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from bench.gpu.day import Day, Stage
from bench.gpu.results import StageResult
from bench.gpu.stages import STAGES

GRACE_S = 10.0


def run(names: Sequence[str], day: Day, logs: Path) -> Iterator[StageResult]:
    """Run the stages and yield their results; `logs` is a folder for what they print."""
    logs.mkdir(parents=True, exist_ok=True)
    for name in names:
        yield run_stage(STAGES[name], day, logs / f"{name}.log")


def run_stage(stage: Stage, day: Day, log: Path) -> StageResult:
    """Run one stage; kill it and all processes that it started when its time is over."""
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as output:
        file = Path(folder, "result")
        command = [sys.executable, "-m", "bench.gpu.child", stage.name, str(file)]
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.communicate(msgspec.json.encode(day), stage.limit_s)
            ended = "" if process.returncode == 0 else f"it ended with code {process.returncode}"
        except subprocess.TimeoutExpired:
            ended = f"it took more than {stage.limit_s:g} s"
            _end(process)
        finally:
            _kill(process)
        return _outcome(stage, day, file, ended, log)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let a stage end its services and copy their logs."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the remaining processes of the session, for example a service that a stage started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(stage: Stage, day: Day, file: Path, ended: str, log: Path) -> StageResult:
    found = StageResult(stage.name, "stop")
    if file.exists():
        found = msgspec.json.decode(file.read_bytes(), type=StageResult)
    look = f"{log}; {stage.look}" if found.state == "stop" or ended else ""
    if ended:
        found = msgspec.structs.replace(found, state="stop", reason=ended)
    return msgspec.structs.replace(found, look=look, options=day.unusual())
