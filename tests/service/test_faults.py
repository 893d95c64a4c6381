"""A real server whose workers are killed or stopped under load."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.engines.poisoned import DIES, HANGS, RAISES
from tests.photographs import encode
from tests.server import Server, serving
from tests.service.load import ASTRONAUT, PATIENCE_S, all_stopped, load, until_ready, worker

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the worker is a process of its own on Linux only"
)


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
    async with httpx.AsyncClient(base_url=faulty.url, timeout=PATIENCE_S) as http:
        with all_stopped(faulty):
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
