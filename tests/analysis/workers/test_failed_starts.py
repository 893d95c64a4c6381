"""A process that cannot start: the log has the reason, the exit status, and advice."""

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from analysis.workers.channel import supported
from analysis.workers.process import DIED
from analysis.workers.sockets import listen
from engines.gpus import Gpu
from tests.analysis.workers.processes import LoopInThread, Watched, running, setup, turning

pytestmark = pytest.mark.skipif(not supported(), reason="there are processes on Linux only")
WORKER, DEVICE = "analysis.workers.worker", "analysis.workers.device"
L4 = Gpu("GPU-1", "NVIDIA L4", "8.9", 24 << 30)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopInThread]:
    # Handlers that other tests have left may have closed streams, and would print so.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with turning() as made:
        made.longest = 0
        yield made


@pytest.mark.parametrize(
    ("module", "gpu", "name", "advice"),
    [
        (WORKER, None, "worker", "EMOTIONS_ISOLATE=false"),
        (DEVICE, None, "device", "EMOTIONS_DEVICE_PROCESS=false"),
        (DEVICE, L4, "device of NVIDIA L4 (GPU-1)", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_process_that_cannot_open_its_engine_gives_reason_status_and_advice(
    loop: LoopInThread,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    *,
    module: str,
    gpu: Gpu | None,
    name: str,
    advice: str,
) -> None:
    given = msgspec.structs.replace(setup(tmp_path), engine="coreml")
    process = Watched(module, given, None if module == WORKER else listen(), gpu)
    with running(process, loop):
        assert [process.next() for _ in range(3)] == [DIED] * 3
    reason, first, *_, third = caplog.messages[:6]
    assert reason.startswith("the networks cannot be opened: no engine 'coreml'; there are: auto,")
    assert "Traceback" not in reason
    assert first == f"{name} ended (exit status 1) and is started again"
    assert third.startswith(f"{first} in 1 s; it does not stay up: ")
    assert third.endswith(advice)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_fails_for_another_reason_logs_the_traceback(
    loop: LoopInThread,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = msgspec.structs.replace(setup(tmp_path), engine="tests.nothing:engine:x")
    process = Watched(WORKER, given)
    with running(process, loop):
        assert process.next() == DIED
    failure, ending, *_ = caplog.messages
    assert "Traceback" in failure
    assert "No module named 'tests.nothing'" in failure
    assert "exit status 1" in ending
    assert capfd.readouterr() == ("", "")
