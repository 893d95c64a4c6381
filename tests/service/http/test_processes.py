"""Several HTTP processes on one port divide workers and limits, and share a device and metrics."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.workers.replica import Replica
from bench.measure.processes import children
from service.telemetry.metrics import Metrics
from service.telemetry.multiprocess import merge
from service.telemetry.stats import RequestStats
from tests.observability.samples import read_samples
from tests.server import Server, serving
from tests.service.load import PATIENCE_S, PLAIN, accepted, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks processes")
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module", params=["false", "true"], ids=["processes", "device"])
def pair(plans: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """Two HTTP processes with two workers together."""
    with serving(
        plans,
        engine="bench.fakes:simulated:20,0,1",
        http_processes="2",
        workers="2",
        device_process=request.param,
        max_queue="100",
    ) as server:
        yield server


def sample(server: Server, name: str, **labels: str) -> float:
    with server.client() as client:
        found = read_samples(client.get("/metrics").text)[name]
    return next(value for given, value in found if given == labels)


async def test_all_give_the_same_answer_and_metrics_are_added_up(pair: Server) -> None:
    await until(lambda: sample(pair, "emotions_workers_ready") == 2)
    before = sample(pair, "emotions_faces_total")
    answers = []
    for _ in range(12):  # each on a new connection, which the kernel gives to any process
        async with httpx.AsyncClient(base_url=pair.url, timeout=PATIENCE_S) as http:
            answers.append(await http.post("/v1/emotions", content=PLAIN, headers=PNG))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sample(pair, "emotions_faces_total") == before + 12
    assert sample(pair, "emotions_images_under_way_limit") == 100
    assert sample(pair, "emotions_workers") == 2
    assert sample(pair, "emotions_ready", network="emotion") == 1


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_connections_are_spread_over_the_processes(pair: Server) -> None:
    host, port = pair.url.removeprefix("http://").split(":")
    before = {pid: descriptors(pid) for pid in children(pair.process.pid)}
    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(socket.create_connection((host, int(port))))
        await until(
            lambda: sum(descriptors(pid) - before[pid] for pid in before) >= 64,
        )
        assert all(descriptors(pid) - before[pid] >= 8 for pid in before), "by chance, 1 in 10^10"


async def test_a_process_that_ends_is_replaced(pair: Server) -> None:
    _, last = sorted(children(pair.process.pid))
    os.kill(last, signal.SIGKILL)
    await until(lambda: len(set(children(pair.process.pid)) - {last}) == 2)
    await until(lambda: sample(pair, "emotions_workers_ready") == 2)


async def test_at_last_sigterm_answers_what_was_accepted(pair: Server) -> None:
    async with accepted(pair):
        pair.process.send_signal(signal.SIGTERM)
    assert pair.process.wait(PATIENCE_S) == 0


@given(st.integers(0, 10**6), st.integers(1, 64))
def test_shares_of_a_limit_are_enough_and_few(total: int, processes: int) -> None:
    part = Replica(0, processes).part_of(total)
    assert total <= part * processes < total + processes


@given(st.lists(st.lists(st.integers(0, 30), max_size=5), min_size=1, max_size=4))
def test_counters_and_histograms_add_up(processes: list[list[int]]) -> None:
    every = Metrics()
    texts = []
    for number, faces in enumerate(processes):
        own = Metrics()
        for count in faces:
            for metrics in (own, every):
                metrics.requests.count_image("ok", count)
                metrics.requests.count_request("/v1/emotions", 200, count, RequestStats())
        own.pool.export_network("emotion", ready=partial(bool, number % 2), max_batch=1)
        texts.append(own.render().decode())
    found, expected = read_samples(merge(texts).decode()), read_samples(every.render().decode())
    for name in ("emotions_faces_total", "emotions_request_seconds_bucket"):
        assert sorted(found.get(name, []), key=str) == sorted(expected.get(name, []), key=str)
    assert found["emotions_ready"] == [({"network": "emotion"}, min(len(processes) - 1, 1))]
