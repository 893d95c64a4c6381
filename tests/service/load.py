"""Clients that load a real server, and the processes of that server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx

from bench.inputs.corpus import images
from bench.measure.processes import children, command
from tests.observability.samples import read_samples
from tests.server import Server
from tests.waiting import until as wait_until

# A small image: the clients must cost little CPU beside the server.
PLAIN = images()["PNG"]
CLIENTS = 8
# Long enough for a machine under load.
PATIENCE_S = 100
POLL_S = 0.02


def processes(server: Server) -> list[int]:
    """Return the processes that the server has started and that still run."""
    return children(server.process.pid)


def workers(server: Server) -> list[int]:
    """Return the worker processes."""
    return [pid for pid in processes(server) if "analysis.workers.worker" in command(pid)]


def devices(server: Server) -> list[int]:
    """Return the device processes."""
    return [pid for pid in processes(server) if "analysis.workers.device" in command(pid)]


@contextmanager
def all_stopped(server: Server) -> Iterator[list[int]]:
    """Stop the processes of workers and devices in the block, and continue them after it.

    All workers are ready before: one that is stopped while it starts does not yet end with the
    server.
    """
    wait_until(
        lambda: metric(server, "emotions_workers_ready") == metric(server, "emotions_workers")
    )
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
    """Return the sum of the samples of this name with at least these labels: one per replica."""
    with server.client() as client:
        samples = read_samples(client.get("/metrics").text)
    values = [value for found, value in samples[name] if labels.items() <= found.items()]
    assert values, f"there is no {name} with {labels}"
    return sum(values)


class Load:
    """Clients that send one request after another, and their answers."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.answers: list[httpx.Response] = []
        self.readiness: list[int] = []
        self.stop = False

    async def client(self) -> None:
        """Send requests one after another."""
        while not self.stop:
            headers = {"content-type": "image/png"}
            answer = await self.http.post("/v1/emotions", content=PLAIN, headers=headers)
            self.answers.append(answer)

    async def watch(self) -> None:
        """Poll the readiness of the service."""
        while not self.stop:
            self.readiness.append((await self.http.get("/readyz")).status_code)
            await asyncio.sleep(POLL_S)

    async def more(self, answers: int = 2 * CLIENTS) -> None:
        """Wait for answers to requests that are sent from now on."""
        wanted = len(self.answers) + answers
        await until(lambda: len(self.answers) >= wanted)

    def require_all_answered(self) -> None:
        """Require that all requests succeeded, with the same answer."""
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
    """Wait until the service is ready, or until it is not."""
    async with asyncio.timeout(PATIENCE_S):
        while (await http.get("/readyz")).is_success != ready:
            pass


@asynccontextmanager
async def accepted(server: Server) -> AsyncIterator[None]:
    """Send requests; the block runs while all of their images are under way.

    At the end every request must be answered.
    """
    files = [("images", (str(i), PLAIN)) for i in range(4)]
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
        sent = [asyncio.create_task(http.post("/v1/emotions", files=files)) for _ in range(4)]
        await until(lambda: metric(server, "emotions_images_under_way") == 16)
        yield
        answers = await asyncio.gather(*sent)
    assert [answer.status_code for answer in answers] == [200] * 4
    images = [image for answer in answers for image in answer.json()["images"]]
    assert [len(image["faces"]) for image in images] == [1] * 16
