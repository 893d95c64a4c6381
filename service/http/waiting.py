"""Ends the work of a request at its deadline, or when its client hangs up."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from analysis.errors import DeadlineExceededError

T = TypeVar("T")


@asynccontextmanager
async def until(deadline: float) -> AsyncIterator[None]:
    """Cancel the block at `deadline`, on `time.monotonic`'s clock.

    Raises:
        DeadlineExceededError: the block was not done by then.
    """
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            yield
    except TimeoutError as error:
        raise DeadlineExceededError("no result before the deadline") from error


async def unless_gone(request: Request, work: Coroutine[None, None, T]) -> T:
    """Do `work`, but stop when the client of `request` hangs up. Its body must have been read.

    Raises:
        ClientDisconnect: nobody waits for the result any more.
    """
    worker = asyncio.current_task()
    if worker is None:
        raise RuntimeError("not in a task")
    gone = over = False

    def stop(_: asyncio.Task[None]) -> None:
        nonlocal gone
        gone = not over and worker.cancel()

    watch = asyncio.create_task(_hung_up(request))
    watch.add_done_callback(stop)
    try:
        return await work
    except asyncio.CancelledError:
        if gone and not worker.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        over = True
        watch.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
