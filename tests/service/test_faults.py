"""A real server whose processes are killed or stopped under load, in both topologies."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest

from tests.engines.poisoned import DIES, HANGS, RAISES
from tests.photographs import encode
from tests.server import Server, serving
from tests.service import faulty as faults
from tests.service.load import (
    PATIENCE_S,
    PLAIN,
    all_stopped,
    devices,
    load,
    metric,
    processes,
    until,
    until_ready,
    workers,
)
from tests.service.topologies import BOTH, environment

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are processes of their own on Linux only"
)
WORKERS = 2
# Processes that hang are replaced soon; requests may take long.
IMPATIENT: Any = {"workers": str(WORKERS), "deadline_s": "120", "batch_limit_s": "1.5"}


class Faulty(NamedTuple):
    """A server, and the file in which its engine records what it opens."""

    server: Server
    opened: Path

    def opens(self) -> Counter[int]:
        """Return how many networks each process has opened."""
        lines = self.opened.read_text().splitlines()
        return Counter(int(line.split()[0]) for line in lines)

    def restarts(self, reason: str) -> float:
        return metric(self.server, "emotions_worker_restarts_total", reason=reason)

    def all_ready(self) -> bool:
        return metric(self.server, "emotions_workers_ready") == WORKERS


@pytest.fixture(scope="module", params=BOTH)
def started(
    request: pytest.FixtureRequest, plans: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    opened = tmp_path_factory.mktemp("opened") / "lines"
    with serving(
        plans, engine=faults.name(opened), **IMPATIENT, **environment(request.param)
    ) as server:
        yield Faulty(server, opened)


@pytest.fixture
async def faulty(started: Faulty) -> Faulty:
    """Wait until all workers are ready."""
    await until(started.all_ready)
    return started


ends = pytest.mark.parametrize(
    ("ending", "reason"), [(signal.SIGKILL, "died"), (signal.SIGSTOP, "hung")]
)


@ends
async def test_a_worker_that_ends_costs_no_request_and_no_other_process(
    faulty: Faulty, ending: signal.Signals, reason: str
) -> None:
    server, before, opens = faulty.server, faulty.restarts(reason), faulty.opens()
    victim, *others = workers(server)
    others += devices(server)
    log = server.log.read_text()
    async with load(server) as running:
        os.kill(victim, ending)
        await until(lambda: bool(set(workers(server)) - {victim, *others}))
        (new,) = set(workers(server)) - {victim, *others}
        os.kill(new, signal.SIGSTOP)
        await running.more()
        assert metric(server, "emotions_workers_ready") == WORKERS - 1
        os.kill(new, signal.SIGCONT)
        await until(faulty.all_ready)
        await running.more()
    running.require_all_answered()
    assert set(running.readiness) == {200}
    assert faulty.restarts(reason) == before + 1
    assert server.log.read_text().removeprefix(log).count("started again") == 1
    assert set(processes(server)) == {new, *others}
    assert {pid: faulty.opens()[pid] for pid in others} == {pid: opens[pid] for pid in others}


@pytest.mark.parametrize("started", ["device"], indirect=True)
@ends
async def test_a_device_that_ends_costs_no_request_and_no_worker(
    faulty: Faulty, ending: signal.Signals, reason: str
) -> None:
    server, before, others = faulty.server, faulty.restarts(reason), workers(faulty.server)
    (victim,) = devices(server)
    async with load(server) as running:
        os.kill(victim, ending)
        await until(lambda: faulty.restarts(reason) > before)
        await running.more()
    running.require_all_answered()
    assert faulty.restarts(reason) == before + 1
    assert workers(server) == others


async def test_the_service_is_unready_only_while_no_worker_lives(faulty: Faulty) -> None:
    server, before = faulty.server, faulty.restarts("died")
    async with httpx.AsyncClient(base_url=server.url) as http:
        first, *others = workers(server)
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: faulty.restarts("died") == before + len(others))
        assert (await http.get("/readyz")).status_code == 200
        await until(faulty.all_ready)
        assert first in workers(server)
        for pid in workers(server):
            os.kill(pid, signal.SIGKILL)
        await until_ready(http, False)
        assert not any((await http.get("/readyz")).json()["networks"].values())
        await until_ready(http, True)


async def test_the_deadline_is_kept_while_all_processes_hang(faulty: Faulty) -> None:
    async with httpx.AsyncClient(base_url=faulty.server.url, timeout=PATIENCE_S) as http:
        with all_stopped(faulty.server):
            files = [("images", (str(i), PLAIN)) for i in range(8)]
            headers = {"x-request-deadline-ms": "500"}
            answer = await http.post("/v1/emotions", files=files, headers=headers)
            assert answer.json()["code"] == "deadline_exceeded"
            assert (await http.get("/livez")).is_success
        answer = await http.post("/v1/emotions", files=files)
    assert [len(image["faces"]) for image in answer.json()["images"]] == [1] * 8


async def test_a_poisoned_image_costs_only_itself(faulty: Faulty) -> None:
    """An image that makes its network fail, one that kills its process, and one that hangs it."""
    server = faulty.server
    before = faulty.restarts("died"), faulty.restarts("hung")
    failures = metric(server, "emotions_runner_failures_total")
    poisons = [encode(np.full((64, 64, 3), colour, np.uint8)) for colour in (RAISES, DIES, HANGS)]
    images = [PLAIN, *(data for poison in poisons for data in (poison, PLAIN, PLAIN))]
    async with load(server) as running:
        files = [("images", (str(i), data)) for i, data in enumerate(images)]
        answer = await running.http.post("/v1/emotions", files=files)
        await running.more()
    running.require_all_answered()
    for data, image in zip(images, answer.json()["images"], strict=True):
        if data in poisons:
            assert image["error"]["code"] == "inference_failed"
            assert "poison" not in image["error"]["detail"]
        else:
            assert len(image["faces"]) == 1
    died, hung = faulty.restarts("died") - before[0], faulty.restarts("hung") - before[1]
    # Each of the two is tried twice; the first time both may have been in one worker.
    assert min(died, hung) >= 1
    assert 3 <= died + hung <= 4
    assert metric(server, "emotions_runner_failures_total") > failures
