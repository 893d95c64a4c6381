"""Ordered tasks, and what is left of them after a failure: nothing."""

import asyncio
import gc
import threading
import time

import pytest

from offline.concurrency import OrderedTasks, in_thread


async def number_after(number: int, seconds: float) -> int:
    await asyncio.sleep(seconds)
    return number


async def test_results_are_delivered_in_order_and_a_few_run_at_once() -> None:
    delivered: list[int] = []

    async def deliver(number: int) -> None:
        delivered.append(number)

    async with OrderedTasks(3, deliver) as tasks:
        for number in range(10):
            await tasks.add(number_after(number, 0.002 * (10 - number)))
            assert len(asyncio.all_tasks()) <= 1 + 3
    assert delivered == list(range(10))


@pytest.mark.parametrize("failing", ["a task", "delivery", "the block"])
async def test_a_failure_leaves_no_task(failing: str) -> None:
    async def work(number: int) -> int:
        if failing == "a task" and number == 1:
            raise ValueError(failing)
        await asyncio.sleep(1000 * (number > 1))
        return number

    async def deliver(_: int) -> None:
        if failing == "delivery":
            raise ValueError(failing)

    async def run() -> None:
        async with OrderedTasks(4, deliver) as tasks:
            for number in range(10):
                await tasks.add(work(number))
                if failing == "the block" and number == 2:
                    raise ValueError(failing)

    with pytest.raises(ValueError, match=failing):
        await run()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_task_waits_for_its_thread() -> None:
    started, ended = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        time.sleep(0.1)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def fail_after_cancellation() -> None:
    started, may_fail = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        may_fail.wait()
        raise ValueError("late")

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait)
    task.cancel()
    await asyncio.sleep(0.01)  # now only the thread runs
    may_fail.set()
    await asyncio.wait([task])
    assert task.cancelled()


def test_an_error_after_the_cancellation_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(fail_after_cancellation())
    gc.collect()
    assert not caplog.records
