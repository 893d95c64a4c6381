"""One round of each measurement: a fresh server with fake networks, its load, its figures."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.fakes.device import Cost
from bench.inputs.scenes import ONE_FACE, scene
from bench.load.client import run
from bench.load.loops import closed_loop
from bench.load.mix import requests
from bench.load.result import Result
from bench.measure.loops import side_by_side
from bench.measure.processes import pinned
from bench.measure.service import Measured, Serving, measured, serving, steady, warm_up
from engines import cpu

EIGHT_FACES = "640x480, 8 faces"
# The photograph that is sent, and the number of faces that the networks find in it.
ROWS = {
    "640x480, 0 faces": (ONE_FACE, 0),
    ONE_FACE: (ONE_FACE, 1),
    EIGHT_FACES: (ONE_FACE, 8),
    "640x480, 30 faces": (ONE_FACE, 30),
    "1920x1080, 5 faces": ("1920x1080, 5 faces", 5),
}


class Measurement(NamedTuple):
    """How to measure: seconds per load, clients, worker processes (0: the service decides)."""

    seconds: float
    clients: int
    workers: int = 0
    device_process: bool = True


class HostRound(NamedTuple):
    """Images per second that plain loops decode, and the service under load."""

    decode: float
    service: Measured


class CoresRound(NamedTuple):
    """The same load on one core and on two."""

    one: Result
    two: Result


class DeviceRound(NamedTuple):
    """A simulated device under full load, and with random arrivals at a share of that rate."""

    full: Measured
    steady: Result


def host(plan: Measurement, name: str) -> HostRound:
    """Measure one of `ROWS`: half of the decoding before the service, and half after it."""
    photograph, faces = ROWS[name]
    body, half, count = scene(photograph), plan.seconds / 2, cpu.available()
    with _serving(plan, f"bench.fakes:instant:{faces}") as server:
        [before] = side_by_side("bench.host.loop", body, half, count)
        found = measured(server, requests(photograph), plan.clients, plan.seconds)
        [after] = side_by_side("bench.host.loop", body, half, count)
    return HostRound((before + after) / 2, found)


def cores(plan: Measurement) -> CoresRound:
    """Measure one core and two; server and clients are pinned to them."""
    allowed, loads, calls = sorted(os.sched_getaffinity(0)), list[Result](), requests(ONE_FACE)
    for count in (1, 2):
        with pinned(set(allowed[:count])), _serving(plan, "bench.fakes:instant:1") as server:
            loads.append(run(closed_loop(server.url, calls, plan.clients, plan.seconds)))
    return CoresRound(*loads)


def device(plan: Measurement, cost: Cost) -> DeviceRound:
    """Measure a simulated device."""
    engine = f"bench.fakes:simulated:{cost.batch_ms:.4f},{cost.row_ms:.4f},1"
    calls = requests(ONE_FACE)
    with _serving(plan._replace(device_process=True), engine) as server:
        full = measured(server, calls, plan.clients, plan.seconds)
        return DeviceRound(full, steady(server, calls, full.load, plan.seconds))


@contextmanager
def _serving(plan: Measurement, engine: str) -> Iterator[Serving]:
    """Run a warm server."""
    settings = {"device_process": str(plan.device_process).lower()}
    if plan.workers:
        settings["workers"] = str(plan.workers)
    with serving(engine=engine, **settings) as server:
        warm_up(server.url, requests(ONE_FACE), plan.clients, plan.seconds / 2)
        yield server
