"""Clients that load a real server, and the processes that it has started."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx

from bench.measure.processes import children, command
from tests.observability.conftest import read_samples
from tests.photographs import ASTRONAUT_FILE
from tests.server import Server

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
CLIENTS = 8
# On a machine that does much else at the same time.
PATIENCE_S = 100
POLL_S = 0.02


def processes(server: Server) -> list[int]:
    """The processes that the server has started and that are still there."""
    return children(server.process.pid)


def workers(server: Server) -> list[int]:
    """Those of them that analyze images."""
    return [pid for pid in processes(server) if "analysis.workers.worker" in command(pid)]


def devices(server: Server) -> list[int]:
    """Those of them that run networks for workers."""
    return [pid for pid in processes(server) if "analysis.workers.device" in command(pid)]


@contextmanager
def all_stopped(server: Server) -> Iterator[list[int]]:
    """Stop workers and devices and give them; at the end, those still there go on."""
    stopped = processes(server)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield stopped
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def metric(server: Server, name: str, **labels: str) -> float:
    """The value of the one sample of this name with at least these labels."""
    with server.client() as client:
        samples = read_samples(client.get("/metrics").text)
    (value,) = (value for found, value in samples[name] if labels.items() <= found.items())
    return value


class Load:
    """Clients that send one request after another, and what they were told."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.answers: list[httpx.Response] = []
        self.readiness: list[int] = []
        self.stop = False

    async def client(self) -> None:
        """Send requests one after another."""
        while not self.stop:
            headers = {"content-type": "image/png"}
            answer = await self.http.post("/v1/emotions", content=ASTRONAUT, headers=headers)
            self.answers.append(answer)

    async def watch(self) -> None:
        """Ask all the time whether the service is ready."""
        while not self.stop:
            self.readiness.append((await self.http.get("/readyz")).status_code)
            await asyncio.sleep(POLL_S)

    async def more(self, answers: int = 2 * CLIENTS) -> None:
        """Wait for answers to requests that are sent from now on."""
        wanted = len(self.answers) + answers
        await until(lambda: len(self.answers) >= wanted)

    def require_all_answered(self) -> None:
        """Require that nobody was told of anything, and that all were told the same."""
        assert {answer.status_code for answer in self.answers} == {200}
        assert len({answer.content for answer in self.answers}) == 1


@asynccontextmanager
async def load(server: Server) -> AsyncIterator[Load]:
    """Load the server; at the end every request must have been answered."""
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
        running = Load(http)
        clients = [asyncio.create_task(running.client()) for _ in range(CLIENTS)]
        clients.append(asyncio.create_task(running.watch()))
        try:
            await running.more()
            yield running
        finally:
            running.stop = True
            await asyncio.gather(*clients)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  (other processes change it)
            await asyncio.sleep(POLL_S)


async def until_ready(http: httpx.AsyncClient, ready: bool) -> None:
    """Wait until the service says that it is ready, or that it is not."""
    async with asyncio.timeout(PATIENCE_S):
        while (await http.get("/readyz")).is_success != ready:
            pass
