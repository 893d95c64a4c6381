"""A real server whose worker is killed or stopped under load, and which is told to end."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.engines.poisoned import DIES, HANGS, RAISES
from tests.photographs import ASTRONAUT_FILE, encode
from tests.server import Server, serving

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
CLIENTS = 8
# On a machine that does much else at the same time.
PATIENCE_S = 100

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the worker is a process of its own on Linux only"
)


def workers(server: Server) -> list[int]:
    """The processes that the server has started and that are still there."""
    pid = server.process.pid
    children = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for listed in children for child in listed]


def worker(server: Server) -> int:
    """One of them; there is one a lane."""
    return workers(server)[0]


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


def restarts(server: Server, reason: str) -> int:
    with server.client() as client:
        text = client.get("/metrics").text
    found = re.search(rf'emotions_worker_restarts_total\{{reason="{reason}"\}} (\d+)', text)
    assert found is not None
    return int(found[1])


@pytest.fixture(scope="module")
def faulty(plans: Path) -> Iterator[Server]:
    """A server that is patient with its clients, and not with its worker."""
    with serving(plans, deadline_s="120", batch_limit_s="2") as running:
        yield running


async def test_a_killed_worker_costs_no_request(faulty: Server) -> None:
    before = restarts(faulty, "died")
    async with load(faulty) as running:
        for _ in range(2):
            os.kill(worker(faulty), signal.SIGKILL)
            await until_ready(running.http, False)
            await until_ready(running.http, True)
            await running.more()
    assert {answer.status_code for answer in running.answers} == {200}
    assert len({answer.content for answer in running.answers}) == 1
    assert restarts(faulty, "died") == before + 2
    assert "started anew" in faulty.log.read_text()


async def test_an_idle_worker_that_is_killed_is_replaced(faulty: Server) -> None:
    async with httpx.AsyncClient(base_url=faulty.url) as http:
        os.kill(worker(faulty), signal.SIGKILL)
        await until_ready(http, False)
        await until_ready(http, True)


async def test_a_worker_that_hangs_is_replaced_and_answers_go_on(faulty: Server) -> None:
    before = restarts(faulty, "hung")
    async with load(faulty) as running:
        os.kill(worker(faulty), signal.SIGSTOP)
        await until_ready(running.http, False)
        await until_ready(running.http, True)
        await running.more()
    assert {answer.status_code for answer in running.answers} == {200}
    assert restarts(faulty, "hung") > before


async def test_a_hang_is_told_within_the_deadline(faulty: Server) -> None:
    os.kill(worker(faulty), signal.SIGSTOP)
    async with httpx.AsyncClient(base_url=faulty.url, timeout=PATIENCE_S) as http:
        headers = {"content-type": "image/png", "x-request-deadline-ms": "500"}
        answer = await http.post("/v1/emotions", content=ASTRONAUT, headers=headers)
        assert answer.json()["code"] == "deadline_exceeded"
        assert (await http.get("/livez")).is_success
        await until_ready(http, False)
        await until_ready(http, True)


async def test_poison_in_a_request_costs_only_itself(plans: Path) -> None:
    """An image that raises, one that kills the worker, and one on which it hangs."""
    poisons = [encode(np.full((64, 64, 3), colour, np.uint8)) for colour in (RAISES, DIES, HANGS)]
    images = [ASTRONAUT, *(data for poison in poisons for data in (poison, ASTRONAUT, ASTRONAUT))]
    with serving(
        plans, module="tests.engines.poisoned", deadline_s="120", batch_limit_s="2"
    ) as server:
        async with load(server) as running:
            files = [("images", (str(i), data)) for i, data in enumerate(images)]
            answer = await running.http.post("/v1/emotions", files=files)
            await running.more()
        assert {answer.status_code for answer in running.answers} == {200}
        for data, image in zip(images, answer.json()["images"], strict=True):
            if data in poisons:
                assert image["error"]["code"] == "inference_failed"
                assert "poison" not in image["error"]["detail"]
            else:
                assert len(image["faces"]) == 1
        assert restarts(server, "died") == 2
        assert restarts(server, "hung") >= 2


async def test_sigterm_under_load_answers_what_was_accepted(plans: Path) -> None:
    """Also when the worker dies while the service drains, and to a whole process group."""
    with serving(plans, deadline_s="120") as server:
        pid = worker(server)
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
            files = [("images", (str(i), ASTRONAUT)) for i in range(4)]
            sent = [asyncio.create_task(http.post("/v1/emotions", files=files)) for _ in range(4)]
            await until(lambda: under_way(server))
            os.kill(pid, signal.SIGTERM)
            server.process.send_signal(signal.SIGTERM)
            os.kill(pid, signal.SIGKILL)
            answers = await asyncio.gather(*sent)
        assert [answer.status_code for answer in answers] == [200] * 4
        images = [image for answer in answers for image in answer.json()["images"]]
        assert all(len(image["faces"]) == 1 for image in images)
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0


def under_way(server: Server) -> bool:
    """Whether all four requests were accepted and none is done."""
    with server.client() as client:
        text = client.get("/metrics").text
    return "emotions_images_under_way 16.0" in text


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
async def test_the_worker_never_outlives_the_service(plans: Path, ending: signal.Signals) -> None:
    with serving(plans) as server:
        pid = worker(server)
        os.kill(pid, signal.SIGSTOP)  # not even where it cannot notice
        server.process.send_signal(ending)
        server.process.send_signal(ending)
        server.process.wait(PATIENCE_S)
        await until(lambda: not Path(f"/proc/{pid}").exists() or zombie(pid))


def zombie(pid: int) -> bool:
    """Whether it has ended, and nobody has asked how."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0])
def test_sigterm_counts_from_the_start(plans: Path, seconds: float) -> None:
    with serving(plans, started=False) as server:
        await_caught(server.process.pid)
        time.sleep(seconds)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (value,) = [line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")]
    return value


@pytest.mark.parametrize(("command", "code"), [("serve", 0), ("build", 128 + signal.SIGTERM)])
def test_sigterm_counts_for_process_1(plans: Path, command: str, code: int) -> None:
    """To which the kernel gives no signal that it has not asked for."""
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], check=False).returncode
    ):
        pytest.skip("this user may not make a namespace of processes")
    environment = os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_PORT": "0"}
    outside = subprocess.Popen(
        [*unshare, sys.executable, "-m", "service", command],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    while not (first := children.read_text().split()):
        time.sleep(0.001)
    await_caught(int(first[0]))
    os.kill(int(first[0]), signal.SIGTERM)
    assert outside.wait(PATIENCE_S) == code


def await_caught(pid: int) -> None:
    """Wait until a process has a handler for SIGTERM."""
    caught = 1 << (signal.SIGTERM - 1)
    while not int(status(pid, "SigCgt"), 16) & caught:
        time.sleep(0.001)
