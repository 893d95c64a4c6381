"""Tasks that run at once and finish in order, and threads that a cancelled task waits for."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class OrderedTasks(Generic[T]):
    """Runs up to `limit` coroutines at once and passes their results on in the order of `add`.

    The first exception, of a coroutine or of `deliver`, ends the block. The other tasks are then
    cancelled and awaited, so that no task outlives the block.
    """

    def __init__(self, limit: int, deliver: Callable[[T], Awaitable[None]]) -> None:
        self._limit, self._deliver = limit, deliver
        self._pending: deque[asyncio.Task[T]] = deque()

    async def __aenter__(self) -> "OrderedTasks[T]":
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            while self._pending and error is None:
                await self._finish_first()
        finally:
            for task in self._pending:
                task.cancel()
            await asyncio.gather(*self._pending, return_exceptions=True)

    async def add(self, work: Coroutine[Any, Any, T]) -> None:
        """Start `work`; if `limit` tasks run, wait for the oldest one and deliver its result."""
        self._pending.append(asyncio.create_task(work))
        if len(self._pending) >= self._limit:
            await self._finish_first()

    async def _finish_first(self) -> None:
        await self._deliver(await self._pending.popleft())


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread, as `asyncio.to_thread`; if cancelled, wait until it returns.

    A thread cannot be stopped: without the wait it would write to files that are closed by then.
    """
    thread = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        thread.exception()  # asyncio would log an error that nobody has read
        raise
