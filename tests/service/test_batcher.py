import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from service.batcher import Batcher
from service.errors import DeadlineExceeded, InferenceFailed, Overloaded, ShuttingDown
from service.record import Batch, Observer, recording

Numbers = Batcher[int, int]


class Doubler:
    """A runner of the test's own: doubles, notes its batches, and does as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.opened = 0
        self.begun = 0
        self.gate = threading.Event()
        self.gate.set()
        self.fails: Callable[[list[int]], bool] = lambda items: False
        self.refuses = False

    @contextmanager
    def open(self) -> Iterator[Callable[[list[int]], list[int]]]:
        self.opened += 1
        if self.refuses:
            raise RuntimeError("no device")
        yield self.run

    def run(self, items: list[int]) -> list[int]:
        self.begun += 1
        self.gate.wait(10)
        self.batches.append(items)
        if self.fails(items):
            raise RuntimeError("the engine is broken")
        return [2 * item for item in items]


@asynccontextmanager
async def batching(
    runner: Doubler,
    *,
    workers: int = 1,
    max_batch: int = 8,
    capacity: int = 100,
    takers: int | None = None,
) -> AsyncIterator[Numbers]:
    batcher: Numbers = Batcher(
        "doubler",
        runner.open,
        workers=workers,
        max_batch=max_batch,
        capacity=capacity,
        takers=takers,
        reopen_delay=0.01,
    )
    batcher.start()
    await until(lambda: batcher.ready)
    try:
        yield batcher
    finally:
        runner.gate.set()
        await asyncio.to_thread(batcher.close)


async def busy(runner: Doubler, batcher: Numbers, item: int) -> asyncio.Task[int]:
    """Keep the runner on an item until its gate is opened."""
    runner.gate.clear()
    held = asyncio.create_task(batcher.submit(item, soon()))
    await until(lambda: runner.begun == 1)
    return held


def soon() -> float:
    return time.monotonic() + 10


async def test_a_lone_item_waits_for_nobody() -> None:
    runner = Doubler()
    async with batching(runner) as batcher:
        assert await batcher.submit(3, soon()) == 6
    assert runner.batches == [[3]]


async def test_what_queues_while_the_runner_is_busy_becomes_the_next_batch() -> None:
    runner = Doubler()
    async with batching(runner) as batcher:
        first = await busy(runner, batcher, 0)
        rest = [asyncio.create_task(batcher.submit(i, soon())) for i in range(1, 12)]
        await until(lambda: batcher.queued == 11)
        runner.gate.set()
        assert await asyncio.gather(first, *rest) == [2 * i for i in range(12)]
    assert [len(batch) for batch in runner.batches] == [1, 8, 3]


async def test_a_queue_shared_among_more_takers_than_workers_is_taken_in_smaller_batches() -> None:
    runner = Doubler()
    async with batching(runner, takers=4) as batcher:
        first = await busy(runner, batcher, 0)
        rest = asyncio.create_task(batcher.submit_all(range(1, 12), soon()))
        await until(lambda: batcher.queued == 11)
        runner.gate.set()
        assert [await first, *await rest] == [2 * i for i in range(12)]
    assert [len(batch) for batch in runner.batches] == [1, 3, 2, 2, 1, 1, 1, 1]


async def test_idle_workers_share() -> None:
    runner = Doubler()
    async with batching(runner, workers=2) as batcher:
        await asyncio.sleep(0.05)
        assert await batcher.submit_all(range(8), soon()) == [2 * i for i in range(8)]
    assert len(runner.batches) > 1


async def test_a_full_queue_refuses_all_or_nothing() -> None:
    runner = Doubler()
    async with batching(runner, capacity=3) as batcher:
        first = await busy(runner, batcher, 0)
        second = asyncio.create_task(batcher.submit_all([1, 2], soon()))
        await until(lambda: batcher.queued == 2)
        with pytest.raises(Overloaded):
            await batcher.submit_all([3, 4], soon())
        assert batcher.queued == 2
        runner.gate.set()
        assert (await first, await second) == (0, [2, 4])


async def test_more_items_than_the_capacity_pass_when_nothing_waits() -> None:
    async with batching(Doubler(), capacity=2) as batcher:
        assert len(await batcher.submit_all(range(20), soon())) == 20


async def test_late_and_cancelled_items_cost_no_batch() -> None:
    runner = Doubler()
    async with batching(runner) as batcher:
        first = await busy(runner, batcher, 0)
        late = asyncio.create_task(batcher.submit(1, time.monotonic() - 1))
        cancelled = asyncio.create_task(batcher.submit(2, soon()))
        good = asyncio.create_task(batcher.submit(3, soon()))
        await until(lambda: batcher.queued == 3)
        cancelled.cancel()
        await asyncio.sleep(0.01)
        runner.gate.set()
        with pytest.raises(DeadlineExceeded):
            await late
        assert (await first, await good) == (0, 6)
    assert runner.batches == [[0], [3]]


async def test_a_bad_item_does_not_take_the_others_with_it() -> None:
    runner = Doubler()
    runner.fails = lambda items: 13 in items
    async with batching(runner) as batcher:
        tasks = [asyncio.create_task(batcher.submit(i, soon())) for i in (11, 12, 13, 14)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [o for o in outcomes if isinstance(o, int)] == [22, 24, 28]
        assert isinstance(outcomes[2], InferenceFailed)
        assert "broken" not in str(outcomes[2])
        assert await batcher.submit(5, soon()) == 10
        assert batcher.ready
    assert runner.opened >= 2, "a runner that failed is opened anew"


async def test_one_failure_of_many_cancels_the_rest_of_a_request() -> None:
    runner = Doubler()
    runner.fails = lambda items: 1 in items
    async with batching(runner, max_batch=1) as batcher:
        with pytest.raises(InferenceFailed):
            await batcher.submit_all([1, 2, 3], soon())


async def test_readiness_drops_while_a_runner_cannot_be_opened() -> None:
    runner = Doubler()
    broken = threading.Event()

    @contextmanager
    def opening() -> Iterator[Callable[[list[int]], list[int]]]:
        if broken.is_set():
            raise RuntimeError("no device")
        with runner.open() as run:
            yield run

    batcher: Numbers = Batcher(
        "doubler", opening, workers=1, max_batch=8, capacity=8, reopen_delay=0.01
    )
    batcher.start()
    await until(lambda: batcher.ready)
    broken.set()
    runner.fails = lambda items: True
    with pytest.raises(InferenceFailed):
        await batcher.submit(1, soon())
    await until(lambda: not batcher.ready)
    runner.fails = lambda items: False
    broken.clear()
    await until(lambda: batcher.ready)
    assert await batcher.submit(2, soon()) == 4
    await asyncio.to_thread(batcher.close)


async def test_a_worker_that_waits_to_open_takes_no_wake_up_of_another() -> None:
    runner, broken = Doubler(), list[int]()

    @contextmanager
    def opening() -> Iterator[Callable[[list[int]], list[int]]]:
        if not broken:
            broken.append(threading.get_ident())
        if threading.get_ident() in broken:
            raise RuntimeError("no device")
        with runner.open() as run:
            yield run

    batcher: Numbers = Batcher("doubler", opening, workers=2, max_batch=1, capacity=8)
    batcher.start()
    await until(lambda: runner.opened == 1)
    for number in range(20):  # the other one pauses between its attempts all the while
        await asyncio.sleep(0.02)
        assert await asyncio.wait_for(batcher.submit(number, soon()), 10) == 2 * number
    await asyncio.to_thread(batcher.close)


async def test_closing_answers_what_was_accepted_and_refuses_the_rest() -> None:
    runner = Doubler()
    async with batching(runner) as batcher:
        runner.gate.clear()
        held = [asyncio.create_task(batcher.submit(i, soon())) for i in range(5)]
        await until(lambda: runner.begun == 1)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.02)
        with pytest.raises(ShuttingDown):
            await batcher.submit(9, soon())
        runner.gate.set()
        assert await asyncio.gather(*held) == [0, 2, 4, 6, 8]
        await closing


async def test_batches_are_observed() -> None:
    seen: list[Batch] = []

    class Seen(Observer):
        def ran(self, batch: Batch) -> None:
            seen.append(batch)

    batcher: Numbers = Batcher(
        "doubler",
        Doubler().open,
        workers=1,
        max_batch=4,
        capacity=8,
        observers=[Seen()],
    )
    batcher.start()
    with recording() as record:
        await batcher.submit_all([1, 2, 3], soon())
    await asyncio.to_thread(batcher.close)
    assert sum(batch.items for batch in seen) == 3
    assert all(batch.queued <= batch.started <= batch.ended for batch in seen)
    assert all(set(batch.waiting) == {record} for batch in seen)


async def test_an_idle_runner_is_opened_anew_on_request() -> None:
    runner = Doubler()
    async with batching(runner, workers=2) as batcher:
        batcher.renew()
        await until(lambda: runner.opened == 4 and batcher.ready)
        assert await batcher.submit(3, soon()) == 6


async def test_a_busy_runner_is_opened_anew_after_its_batch() -> None:
    runner = Doubler()
    async with batching(runner) as batcher:
        held = await busy(runner, batcher, 3)
        batcher.renew()
        runner.gate.set()
        assert await held == 6
        await until(lambda: runner.opened == 2 and batcher.ready)


@pytest.mark.parametrize("reopens", [True, False])
async def test_closing_opens_a_runner_anew_for_what_waits_but_not_twice(reopens: bool) -> None:
    runner = Doubler()
    runner.fails = lambda items: items == [0]
    async with batching(runner) as batcher:
        bad = await busy(runner, batcher, 0)
        good = [asyncio.create_task(batcher.submit(i, soon())) for i in (1, 2)]
        await until(lambda: batcher.queued == 2)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.02)
        runner.refuses = not reopens
        runner.gate.set()
        failed, *others = await asyncio.gather(bad, *good, return_exceptions=True)
        await closing
    assert isinstance(failed, InferenceFailed)
    if reopens:
        assert others == [2, 4]
    else:
        assert [type(other) for other in others] == [ShuttingDown] * 2
        assert runner.opened == 2


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  (what it waits for happens in another thread)
            await asyncio.sleep(0.001)
