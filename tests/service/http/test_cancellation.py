"""Work is cancelled when its client disconnects."""

import asyncio

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from analysis.errors import OverloadedError
from service.http.cancellation import cancel_on_disconnect


class Client:
    """Disconnects when the test sets `gone`."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.request = Request({"type": "http"}, self.receive)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_a_client_that_stays_gets_the_result() -> None:
    assert await cancel_on_disconnect(Client().request, asyncio.sleep(0, "done")) == "done"


async def test_an_error_is_the_caller_s() -> None:
    async def work() -> None:
        raise OverloadedError("full")

    with pytest.raises(OverloadedError):
        await cancel_on_disconnect(Client().request, work())


async def test_work_is_cancelled_when_the_client_disconnects() -> None:
    client, stopped = Client(), asyncio.Event()

    async def work() -> None:
        client.gone.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with pytest.raises(ClientDisconnect):
        await cancel_on_disconnect(client.request, work())
    assert stopped.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


@pytest.mark.parametrize("turns", range(5))
async def test_a_disconnect_at_the_end_of_the_work_cancels_nothing_else(turns: int) -> None:
    client = Client()

    async def work() -> None:
        client.gone.set()
        for _ in range(turns):
            await asyncio.sleep(0)

    try:
        await cancel_on_disconnect(client.request, work())
    except ClientDisconnect:
        assert turns
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_caller_that_is_cancelled_stays_cancelled() -> None:
    caller = asyncio.create_task(cancel_on_disconnect(Client().request, asyncio.sleep(60)))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
