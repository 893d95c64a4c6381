"""Batches in a worker that dies, hangs or raises: who is answered, and who is blamed."""

import asyncio
import random
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalog import Catalog
from engines.errors import RunnerError, RunnerHung, RunnerInterrupted, RunnerLost
from engines.worker import channel
from engines.worker.process import Worker
from service.errors import InferenceFailed
from service.jobs import Job
from service.pipeline import rows_of
from service.quarantine import Quarantine
from service.staged import NetworkBatcher, Row
from tests.engines.faulty import DIES, HANGS, RAISES

FAULTY = [sys.executable, "-m", "tests.engines.faulty"]
NETWORKS, WORKERS, LARGEST = 2, 2, 8


@asynccontextmanager
async def networks() -> AsyncIterator[list[NetworkBatcher]]:
    """Two networks in one worker, as in the service."""
    worker, quarantine = Worker(FAULTY, limit_s=0.5), Quarantine()
    spec = Catalog.load().get("emotion-fer48")
    opened = partial(worker.open, Path("plan"), spec)
    batchers = [
        NetworkBatcher(
            name,
            partial(rows_of, opened, "items", np.zeros((2,), np.uint8)),
            workers=WORKERS,
            max_batch=LARGEST,
            capacity=1000,
            quarantine=quarantine,
            reopen_delay=0.01,
        )
        for name in ("first", "second")[:NETWORKS]
    ]

    def renew() -> None:
        for batcher in batchers:
            batcher.renew()

    worker.start(renew)
    for batcher in batchers:
        batcher.start()
    try:
        yield batchers
    finally:
        for batcher in batchers:
            await asyncio.to_thread(batcher.close)
        await asyncio.to_thread(worker.close)


async def outcome(batcher: NetworkBatcher, value: int) -> Row | Exception:
    item = np.array([value, 7], np.uint8)
    try:
        return await batcher.submit(item, time.monotonic() + 100)
    except InferenceFailed as error:
        return error


@pytest.mark.skipif(not channel.supported(), reason="there are workers on Linux only")
@pytest.mark.parametrize("faults", [[DIES], [HANGS], [RAISES], [DIES, HANGS, RAISES, DIES]])
async def test_only_what_is_at_fault_fails(faults: list[int]) -> None:
    """However items, networks and faults fall together."""
    values = [*faults, *range(60)]
    random.Random(0).shuffle(values)
    async with networks() as batchers:
        work = [outcome(batchers[i % NETWORKS], value) for i, value in enumerate(values)]
        outcomes = await asyncio.gather(*work)
    for value, result in zip(values, outcomes, strict=True):
        if value in faults:
            assert isinstance(result, InferenceFailed)
        else:
            assert not isinstance(result, Exception)
            assert result["doubled"].tolist() == [2 * value, 14]


ERRORS = st.sampled_from([RunnerLost, RunnerHung, RunnerError, ValueError])


@given(st.lists(st.tuples(ERRORS, st.booleans()), min_size=20, max_size=20))
async def test_no_item_is_run_for_ever(failures: list[tuple[type[Exception], bool]]) -> None:
    job: Job[int, int] = Job(0, 0.0, asyncio.get_running_loop().create_future())
    runs = 1
    for kind, lone in failures:
        if not job.may_run_again(kind(), lone or job.alone):
            break
        runs += 1
    assert runs <= 4
    assert runs == 1 or job.alone


async def test_an_item_is_not_blamed_for_what_another_did() -> None:
    job: Job[int, int] = Job(0, 0.0, asyncio.get_running_loop().create_future())
    assert all(job.may_run_again(RunnerInterrupted(), lone) for lone in (True, False) * 5)
    assert not job.alone
    assert job.may_run_again(RunnerLost(), lone=True), "another runner's batch may be why"
    assert job.suspect
    assert not job.may_run_again(RunnerLost(), lone=True), "it was the only one there"


def test_a_suspect_is_by_itself() -> None:
    quarantine = Quarantine()
    inside: set[int] = set()
    seen: list[tuple[bool, int]] = []

    def enter(number: int, alone: bool) -> None:
        for _ in range(50):
            with quarantine.entered(alone):
                inside.add(number)
                time.sleep(0.0001)
                seen.append((alone, len(inside)))
                inside.discard(number)

    threads = [threading.Thread(target=enter, args=(i, i < 2)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 300
    assert all(count == 1 for alone, count in seen if alone)


def test_others_are_together() -> None:
    quarantine, both = Quarantine(), threading.Barrier(2)

    def meet() -> None:
        with quarantine.entered(alone=False):
            both.wait(60)

    threads = [threading.Thread(target=meet) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not both.broken
