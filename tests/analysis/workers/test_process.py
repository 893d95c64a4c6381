"""A process is started, watched, and replaced when it ends."""

import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.types import Input, Options
from analysis.workers import messages
from analysis.workers.channel import supported
from analysis.workers.heartbeats import OPEN_LIMIT_S
from analysis.workers.packing import pack_inputs
from analysis.workers.process import DIED, FIRST_PAUSE_S, HUNG, LONGEST_PAUSE_S, pause
from tests.analysis.workers.processes import (
    WAIT_S,
    LoopInThread,
    Watched,
    plain,
    running,
    setup,
    turning,
)
from tests.engines.faulty import BLOCKED, DEADLY, HANGS, OPENED, RAISES, read
from tests.waiting import until

pytestmark = pytest.mark.skipif(not supported(), reason="there are processes on Linux only")
WORKER = "analysis.workers.worker"


@pytest.fixture
def loop() -> Iterator[LoopInThread]:
    with turning() as made:
        yield made


@pytest.fixture
def worker(loop: LoopInThread, tmp_path: Path) -> Iterator[Watched]:
    process = Watched(WORKER, setup(tmp_path))
    with running(process, loop):
        yield process


def send(process: Watched, loop: LoopInThread, value: int) -> bool:
    note, arrays = pack_inputs([Input(plain(value), Options())])
    return loop.run(lambda: process.post(messages.encode(note), arrays))


def test_a_process_that_dies_is_replaced_at_once(loop: LoopInThread, worker: Watched) -> None:
    assert worker.next() == "ready"
    before = worker.number()
    os.kill(before, signal.SIGKILL)
    assert [worker.next(), worker.next()] == [DIED, "ready"]
    assert worker.number() != before
    assert loop.pauses == [0]
    assert send(worker, loop, 77)
    answer, _ = worker.answers.get(timeout=60)
    assert len(answer.images) == 1


def test_sending_to_a_process_that_has_ended_reports_failure(
    loop: LoopInThread, worker: Watched
) -> None:
    """The event loop may report its end later."""
    assert worker.next() == "ready"

    def kill_and_send() -> bool:
        os.kill(worker.number(), signal.SIGKILL)
        os.waitid(os.P_PID, worker.number(), os.WEXITED | os.WNOWAIT)
        return worker.post(messages.encode(messages.Reconnect()), {})

    assert not loop.run(kill_and_send)
    assert [worker.next(), worker.next()] == [DIED, "ready"]


def test_a_suspended_process_is_killed_if_it_has_work(loop: LoopInThread, worker: Watched) -> None:
    """It waits for work, but does not read what it was sent."""
    assert worker.next() == "ready"
    before = worker.number()
    until(lambda: resting(before))
    os.kill(before, signal.SIGSTOP)
    long_ago = time.monotonic() - 9
    loop.run(lambda: worker.check(5, None))
    loop.run(lambda: worker.check(10, long_ago))
    assert worker.number() == before, "it has nothing to do, or not for long"
    loop.run(lambda: worker.check(5, long_ago))
    assert [worker.next(), worker.next()] == [HUNG, "ready"]


def resting(pid: int) -> bool:
    """Whether a process waits for something."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_a_process_with_a_step_that_hangs_is_killed(loop: LoopInThread, worker: Watched) -> None:
    assert worker.next() == "ready"
    sent = time.monotonic()
    assert send(worker, loop, HANGS)
    while worker.events.empty():
        loop.run(lambda: worker.check(0.2, sent))
        time.sleep(0.01)
    assert worker.next() == HUNG
    assert time.monotonic() - sent >= 0.2


def test_a_process_that_opens_its_networks_has_more_time(
    loop: LoopInThread, worker: Watched
) -> None:
    before = worker.number()
    os.kill(before, signal.SIGSTOP)
    loop.run(lambda: worker.check(0, None))
    assert worker.number() == before
    os.kill(before, signal.SIGCONT)
    assert worker.next() == "ready"


def test_a_process_that_hangs_before_its_first_step_is_killed(
    loop: LoopInThread, worker: Watched
) -> None:
    os.kill(worker.number(), signal.SIGSTOP)
    loop.run(lambda: worker.check(-OPEN_LIMIT_S, None))
    assert [worker.next(), worker.next()] == [HUNG, "ready"]


def test_a_worker_that_opens_its_networks_again_has_as_much_time(
    loop: LoopInThread, worker: Watched, tmp_path: Path
) -> None:
    assert worker.next() == "ready"
    before, opened = worker.number(), len(read(tmp_path / OPENED))
    (tmp_path / BLOCKED).touch()
    sent = time.monotonic()
    assert send(worker, loop, RAISES)
    until(lambda: len(read(tmp_path / OPENED)) > opened)
    loop.run(lambda: worker.check(0, sent))
    assert worker.number() == before
    (tmp_path / BLOCKED).unlink()
    answer, _ = worker.answers.get(timeout=WAIT_S)
    assert answer.failures == 1
    (tmp_path / BLOCKED).touch()
    opened = len(read(tmp_path / OPENED))
    assert send(worker, loop, RAISES)
    until(lambda: len(read(tmp_path / OPENED)) > opened)
    loop.run(lambda: worker.check(-OPEN_LIMIT_S, sent))
    (tmp_path / BLOCKED).unlink()
    assert [worker.next(), worker.next()] == [HUNG, "ready"]


def test_starts_that_open_nothing_are_followed_by_pauses(
    loop: LoopInThread, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / DEADLY).touch()
    loop.longest = 0
    process = Watched(WORKER, setup(tmp_path))
    with running(process, loop):
        assert [process.next() for _ in range(3)] == [DIED] * 3
        (tmp_path / DEADLY).unlink()
        while process.next() != "ready":
            pass
    useless = len(loop.pauses)
    assert loop.pauses == [pause(number) for number in range(1, useless + 1)]
    assert len(read(tmp_path / OPENED)) >= useless
    lines = [record.getMessage() for record in caplog.records]
    assert any("exit status 3" in line for line in lines)
    assert any("1 s" in line for line in lines)
    assert any("EMOTIONS_ISOLATE=false" in line for line in lines)


@given(st.integers(0, 1000))
def test_pauses_grow_to_a_limit(useless: int) -> None:
    assert pause(0) == 0
    assert pause(1) == FIRST_PAUSE_S
    assert pause(useless) <= pause(useless + 1) <= LONGEST_PAUSE_S
    assert pause(1000) == LONGEST_PAUSE_S


def test_a_process_that_cannot_be_started_is_tried_again(
    loop: LoopInThread,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = Watched(WORKER, setup(tmp_path))
    monkeypatch.setattr(sys, "executable", "/nothing")
    with running(process, loop):
        until(lambda: len(caplog.records) >= 2)
        monkeypatch.undo()
        assert process.next() == "ready"
    assert any(os.strerror(errno.ENOENT) in line for line in caplog.messages)


def test_a_process_ignores_the_signals_of_a_terminal_from_the_start(
    loop: LoopInThread, worker: Watched
) -> None:
    """A terminal sends Ctrl-C to all processes, also to one that still imports."""
    interrupt(worker.number())
    assert worker.next() == "ready"
    interrupt(worker.number())
    assert send(worker, loop, 5)
    answer, _ = worker.answers.get(timeout=60)
    assert len(answer.images) == 1


def interrupt(pid: int) -> None:
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)


def test_log_lines_of_a_process_are_in_the_log_of_the_service(
    loop: LoopInThread, worker: Watched, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "taste").write_text(" \udcff", errors="surrogateescape")
    assert worker.next() == "ready"
    assert send(worker, loop, RAISES)
    answer, _ = worker.answers.get(timeout=60)
    assert answer.failures == 1
    (record,) = [r for r in caplog.records if "an engine failed" in r.getMessage()]
    assert (record.name, record.levelno) == ("emotions.worker", logging.ERROR)
    assert "Traceback" in record.getMessage()
    assert "a row was not to its taste" in record.getMessage()


def test_a_process_that_is_asked_to_stop_ends_by_itself_and_is_not_replaced(
    loop: LoopInThread, worker: Watched
) -> None:
    assert worker.next() == "ready"
    assert send(worker, loop, 9)
    loop.run(worker.stop)
    answer, _ = worker.answers.get(timeout=60)
    assert len(answer.images) == 1, "it answers first"
    assert worker.next() == DIED, "its end is reported"
    until(lambda: not worker.alive)
    assert loop.pauses == []
