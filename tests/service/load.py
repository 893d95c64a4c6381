"""Clients that load a real server, and the processes that it has started."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx

from bench.processes import children
from tests.photographs import ASTRONAUT_FILE
from tests.server import Server

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
CLIENTS = 8
# On a machine that does much else at the same time.
PATIENCE_S = 100


def workers(server: Server) -> list[int]:
    """The processes that the server has started and that are still there."""
    return children(server.process.pid)


def worker(server: Server) -> int:
    """One of them; there is one a lane."""
    return workers(server)[0]


@contextmanager
def all_stopped(server: Server) -> Iterator[None]:
    """Stop the workers, whichever a request goes to; at the end, those still there go on."""
    stopped = workers(server)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Load:
    """Clients that send one request after another, and what they were told."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.answers: list[httpx.Response] = []
        self.stop = False

    async def client(self) -> None:
        while not self.stop:
            headers = {"content-type": "image/png"}
            answer = await self.http.post("/v1/emotions", content=ASTRONAUT, headers=headers)
            self.answers.append(answer)

    async def more(self) -> None:
        """Wait for answers to requests that are sent from now on."""
        wanted = len(self.answers) + 2 * CLIENTS
        await until(lambda: len(self.answers) >= wanted)


@asynccontextmanager
async def load(server: Server) -> AsyncIterator[Load]:
    """Load the server; at the end every request must have been answered."""
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
        running = Load(http)
        clients = [asyncio.create_task(running.client()) for _ in range(CLIENTS)]
        try:
            await running.more()
            yield running
        finally:
            running.stop = True
            await asyncio.gather(*clients)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  (what it waits for happens in another process)
            await asyncio.sleep(0.005)


async def until_ready(http: httpx.AsyncClient, ready: bool) -> None:
    """Wait until the service says that it is ready, or that it is not."""
    async with asyncio.timeout(PATIENCE_S):
        while (await http.get("/readyz")).is_success != ready:
            pass
