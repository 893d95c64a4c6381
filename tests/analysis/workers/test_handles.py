"""Pools of real processes and threads, and what happens to images when one of them ends."""

import os
import queue
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from analysis.errors import CorruptImageError, InferenceError, ShuttingDownError
from analysis.networks import open_networks
from analysis.types import Input, Options
from analysis.workers.channel import supported
from analysis.workers.handles import ProcessDevice, ProcessWorker, ThreadWorker
from analysis.workers.job import Job
from analysis.workers.observer import Observer
from analysis.workers.pool import Pool
from analysis.workers.sockets import address, listen
from analysis.workers.types import Group, Worker, WorkerHandle
from tests.analysis.fakes import plans
from tests.analysis.workers.processes import (
    LIMIT_S,
    WAIT_S,
    LoopInThread,
    Outcome,
    plain,
    setup,
    started,
    submit,
    turning,
    value_of,
)
from tests.engines.faulty import (
    DAMAGED,
    DIES,
    GO,
    HANGS,
    OPENED,
    RAISES,
    WAITS,
    Faulty,
    read,
)
from tests.waiting import until

PLANS = plans(images=2)
linux = pytest.mark.skipif(not supported(), reason="there are processes on Linux only")


class Restarts(Observer):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def process_restarted(self, reason: str) -> None:
        self.reasons.append(reason)


class Running:
    """A pool that runs."""

    def __init__(self, pool: Pool, loop: LoopInThread, restarts: Restarts) -> None:
        self.pool, self.loop, self.restarts = pool, loop, restarts.reasons

    def submit(self, *values: int) -> "list[queue.SimpleQueue[Outcome]]":
        return [submit(self.pool, self.loop, plain(value)) for value in values]

    def results(self, *values: int) -> list[object]:
        """The results of images of these values, submitted at once."""
        return [value_of(answer.get(timeout=WAIT_S)) for answer in self.submit(*values)]

    def until_ready(self, workers: int) -> None:
        until(lambda: self.pool.workers_ready == workers)


@contextmanager
def serving(groups: Sequence[Group], limit_s: float = WAIT_S) -> Iterator[Running]:
    restarts = Restarts()
    pool = Pool(groups, images_per_worker=2, spread_over=4, limit_s=limit_s, observers=[restarts])
    with turning() as loop, started(pool, loop):
        yield Running(pool, loop, restarts)


def group(*handles: WorkerHandle) -> Group:
    made = Group()
    made.workers = [Worker(handle, made) for handle in handles]
    return made


@contextmanager
def local(folder: Path, workers: int, limit_s: float = WAIT_S) -> Iterator[Running]:
    """Workers that run networks of their own."""
    groups = [group(ProcessWorker(setup(folder, PLANS))) for _ in range(workers)]
    with serving(groups, limit_s) as running:
        yield running


@contextmanager
def remote(folder: Path, workers: int, limit_s: float = WAIT_S) -> Iterator[Running]:
    """Workers in front of a device."""
    listener = listen()
    behind = setup(folder, PLANS, address(listener))
    made = group(*(ProcessWorker(behind) for _ in range(workers)))
    made.device = ProcessDevice(setup(folder, PLANS), listener)
    with serving([made], limit_s) as running:
        yield running


Topology = Callable[..., AbstractContextManager[Running]]
BOTH = pytest.mark.parametrize("topology", [local, remote])


@linux
@BOTH
def test_images_are_analyzed(topology: Topology, tmp_path: Path) -> None:
    with topology(tmp_path, 2) as running:
        values = list(range(20))
        assert running.results(*values) == values
        broken = submit(running.pool, running.loop, plain(1)[:-20])
        assert value_of(broken.get(timeout=WAIT_S)) is CorruptImageError
        assert running.restarts == []


@linux
@BOTH
def test_only_the_image_that_kills_what_runs_it_fails(
    topology: Topology,
    tmp_path: Path,
) -> None:
    with topology(tmp_path, 2) as running:
        values = [1, 2, 3, DIES, 4, 5, RAISES, 6, 7]
        wanted = [InferenceError if value in {DIES, RAISES} else value for value in values]
        assert running.results(*values) == wanted
        assert running.restarts == ["died", "died"]
        assert running.results(8) == [8]


@linux
@BOTH
def test_only_the_image_that_hangs_fails(topology: Topology, tmp_path: Path) -> None:
    with topology(tmp_path, 2, LIMIT_S) as running:
        assert running.results(1, HANGS, 2) == [1, InferenceError, 2]
        # More of them on a machine so busy that heartbeats of others are late.
        assert set(running.restarts) == {"hung"}
        assert len(running.restarts) >= 2


@linux
def test_a_killed_worker_does_not_affect_the_others(tmp_path: Path) -> None:
    """Its image is retried, no other process is replaced, and the pool stays ready."""
    with local(tmp_path, 2) as running:
        running.until_ready(2)
        before = read(tmp_path / OPENED)
        waiting = running.submit(WAITS, WAITS)
        victim = int(before[0].split()[0])
        os.kill(victim, signal.SIGKILL)
        until(lambda: running.restarts == ["died"])
        assert running.pool.ready
        running.until_ready(2)
        (tmp_path / GO).touch()
        assert [value_of(answer.get(timeout=WAIT_S)) for answer in waiting] == [WAITS] * 2
        after = read(tmp_path / OPENED)[len(before) :]
        assert len({line.split()[0] for line in after}) == 1, "more than one process was replaced"


@linux
def test_a_killed_device_is_replaced_and_its_workers_stay(tmp_path: Path) -> None:
    with remote(tmp_path, 3) as running:
        running.until_ready(3)
        for _ in range(2):
            device = int(read(tmp_path / OPENED)[-1].split()[0])
            os.kill(device, signal.SIGKILL)
            running.until_ready(0)
            assert running.results(*range(6)) == list(range(6))
        assert running.restarts == ["died", "died"]


@linux
def test_an_image_that_did_not_reach_a_killed_device_is_not_a_suspect(
    tmp_path: Path,
) -> None:
    """The pool does not know yet, but the worker notices before it begins."""
    with remote(tmp_path, 1) as running:
        running.until_ready(1)
        device = int(read(tmp_path / OPENED)[-1].split()[0])
        answers = queue.SimpleQueue[Outcome]()

        def kill_and_submit() -> Job:
            os.kill(device, signal.SIGKILL)
            os.waitid(os.P_PID, device, os.WEXITED | os.WNOWAIT)
            deadline = time.monotonic() + WAIT_S
            return running.pool.submit(Input(plain(5), Options()), deadline, answers.put)

        job = running.loop.run(kill_and_submit)
        assert value_of(answers.get(timeout=WAIT_S)) == 5
        assert not job.suspect


@linux
def test_images_under_way_when_a_device_is_killed_are_retried(tmp_path: Path) -> None:
    with remote(tmp_path, 2) as running:
        running.until_ready(2)
        waiting = running.submit(WAITS, WAITS, 3)
        device = int(read(tmp_path / OPENED)[-1].split()[0])
        until(lambda: not running.pool.queued or running.pool.queued == 1)
        os.kill(device, signal.SIGKILL)
        (tmp_path / GO).touch()
        found = [value_of(answer.get(timeout=WAIT_S)) for answer in waiting]
        assert found == [WAITS, WAITS, 3]
        assert running.restarts == ["died"]


@linux
@BOTH
def test_stopping_ends_all_processes_at_once(topology: Topology, tmp_path: Path) -> None:
    """Also one that hangs; its images are rejected."""
    with topology(tmp_path, 2) as running:
        running.until_ready(2)
        answers = running.submit(HANGS, HANGS, *[1] * 20)
        running.loop.run(running.pool.stop)
        running.loop.run(running.pool.kill)
        until(lambda: not running.pool.alive)
        found = [value_of(answer.get(timeout=WAIT_S)) for answer in answers]
        assert set(found) <= {ShuttingDownError, 1}
        assert found[:2] == [ShuttingDownError] * 2
        assert running.restarts == []


@linux
def test_workers_that_wait_for_a_device_end_when_the_pool_stops(tmp_path: Path) -> None:
    """Without being killed, and without trying to connect forever."""
    (tmp_path / DAMAGED).touch()
    with remote(tmp_path, 2) as running:
        until(lambda: len(running.restarts) >= 2)
        running.loop.run(running.pool.stop)
        until(lambda: not running.pool.alive)


def threads(folder: Path, workers: int) -> list[Group]:
    made = partial(open_networks, Faulty(str(folder)), PLANS)
    return [group(ThreadWorker(made)) for _ in range(workers)]


def test_workers_in_threads_analyze_images(tmp_path: Path) -> None:
    with serving(threads(tmp_path, 2)) as running:
        values = [1, 2, RAISES, 3, 4]
        wanted = [InferenceError if value == RAISES else value for value in values]
        assert running.results(*values) == wanted
        assert running.pool.workers_ready == 2


def test_a_worker_in_a_thread_that_cannot_reopen_its_networks_ends(tmp_path: Path) -> None:
    with serving(threads(tmp_path, 2)) as running:
        running.until_ready(2)
        (tmp_path / DAMAGED).touch()
        (bad,) = running.submit(RAISES)
        running.until_ready(0)
        assert value_of(bad.get(timeout=WAIT_S)) is InferenceError
        assert not running.pool.ready


def test_a_pool_is_not_ready_if_networks_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / DAMAGED).touch()
    with serving(threads(tmp_path, 1)) as running:
        until(lambda: running.restarts == ["died"])
        assert not running.pool.ready
