"""Ends the work of a request at its deadline, or when its client disconnects."""

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
async def cancel_at(deadline: float) -> AsyncIterator[None]:
    """Cancel the block at `deadline`, in seconds on the clock of `time.monotonic`.

    Raises:
        DeadlineExceededError: the block was not done by then.
    """
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            yield
    except TimeoutError as error:
        raise DeadlineExceededError("no result before the deadline") from error


async def cancel_on_disconnect(request: Request, work: Coroutine[None, None, T]) -> T:
    """Run `work`, and cancel it if the client disconnects. The body must have been read.

    Raises:
        ClientDisconnect: the client disconnected first.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("not in a task")
    cancelled = done = False

    def cancel(_: asyncio.Task[None]) -> None:
        nonlocal cancelled
        cancelled = not done and task.cancel()

    watch = asyncio.create_task(_disconnected(request))
    watch.add_done_callback(cancel)
    try:
        return await work
    except asyncio.CancelledError:
        if cancelled and not task.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        done = True
        watch.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
