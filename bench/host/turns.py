"""One turn of each measurement: a fresh server with fake networks, its load, its figures."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from bench.forms import as_it_is
from bench.host.yardstick import decoded
from bench.load import Result, closed_loop, open_loop
from bench.mix import sent
from bench.processes import Usage, pinned, watching
from bench.scenes import scene
from bench.scrape import mean_items, scrape
from bench.serving import Serving, serving
from bench.simulated import Cost
from bench.wire import run

WARM_UP_S, LOAD_SHARE = 1.0, 0.7
ONE_FACE, EIGHT_FACES = "640x480, 1 face", "640x480, 8 faces"
# The photograph that is sent, and how many faces the networks give for it.
ROWS = {
    "640x480, 0 faces": (ONE_FACE, 0),
    ONE_FACE: (ONE_FACE, 1),
    EIGHT_FACES: (ONE_FACE, 8),
    "640x480, 30 faces": (ONE_FACE, 30),
    "1920x1080, 5 faces": ("1920x1080, 5 faces", 5),
}


class Given(NamedTuple):
    """How to measure: seconds per load, clients, worker processes (0: the service picks)."""

    seconds: float
    clients: int
    workers: int = 0
    device_process: bool = True


class HostTurn(NamedTuple):
    """Images per second decoded in plain loops; the service's load, its usage, its batches."""

    decode: float
    load: Result
    used: Usage
    batches: Mapping[str, float]

    @property
    def server_ms(self) -> float:
        """CPU milliseconds of the server per image."""
        return 1000 * self.used.cpu_s / max(1, len(self.load.seconds()))

    @property
    def client_ms(self) -> float:
        """CPU milliseconds of the clients per image, on the same cores."""
        return 1000 * self.load.cpu_s / max(1, self.load.sent)


class CoresTurn(NamedTuple):
    """The same load on one core and on two."""

    one: Result
    two: Result


class DeviceTurn(NamedTuple):
    """A simulated device under full load and at 70 % of it; rows per batch under full load."""

    full: Result
    steady: Result
    batches: Mapping[str, float]


def host(given: Given, name: str) -> HostTurn:
    """Measure one of `ROWS`: the service, and decoding alone half before and half after it."""
    photograph, faces = ROWS[name]
    body, half = scene(photograph), given.seconds / 2
    with _serving(given, f"bench.fakes:instant:{faces}") as server:
        first = decoded(body, half)
        before = scrape(server.url)
        with watching(server.pid) as used:
            load = _closed(server, given, photograph)
        batches = mean_items(before, scrape(server.url))
        return HostTurn((first + decoded(body, half)) / 2, load, used, batches)


def cores(given: Given) -> CoresTurn:
    """Measure one core and two: server and clients are both pinned to them."""
    allowed, loads = sorted(os.sched_getaffinity(0)), list[Result]()
    for count in (1, 2):
        with pinned(set(allowed[:count])), _serving(given, "bench.fakes:instant:1") as server:
            loads.append(_closed(server, given, ONE_FACE))
    return CoresTurn(*loads)


def device(given: Given, cost: Cost) -> DeviceTurn:
    """Measure a simulated device under full load, then with random arrivals at 70 % of that."""
    engine = f"bench.fakes:simulated:{cost.batch_ms:.4f},{cost.row_ms:.4f},1"
    with _serving(given._replace(device_process=True), engine) as server:
        before = scrape(server.url)
        full = _closed(server, given, ONE_FACE)
        if not full.rate:
            raise RuntimeError(f"the service answered nothing: {full.statuses}")
        batches = mean_items(before, scrape(server.url))
        rate = LOAD_SHARE * full.rate
        steady = run(open_loop(server.url, _calls(ONE_FACE), rate, given.seconds))
        return DeviceTurn(full, steady, batches)


def _closed(server: Serving, given: Given, photograph: str) -> Result:
    return run(closed_loop(server.url, _calls(photograph), given.clients, given.seconds))


def _calls(photograph: str) -> list[bytes]:
    return [sent(as_it_is(scene(photograph)))]


@contextmanager
def _serving(given: Given, engine: str) -> Iterator[Serving]:
    """Serve with `engine`, warmed up."""
    settings = {"device_process": str(given.device_process).lower()}
    if given.workers:
        settings["workers"] = str(given.workers)
    with serving(("bench.serve", engine), **settings) as server:
        _closed(server, given._replace(seconds=min(given.seconds, WARM_UP_S)), ONE_FACE)
        yield server
