"""The limit of the machine and the service in turns, for one kind of request."""

from collections.abc import Iterator
from typing import NamedTuple

from bench.inputs.scenes import MIXED, scene
from bench.load.client import run
from bench.load.loops import closed_loop
from bench.load.mix import EVERYTHING, requests
from bench.load.result import Result
from bench.measure.loops import side_by_side
from bench.measure.service import Measured, Serving, measured, steady, warm_up
from engines import cpu
from service.settings import Settings


class Limit(NamedTuple):
    """Images per second of all cores without HTTP: the whole analysis, and decoding alone."""

    images: float
    decoded: float


class Round(NamedTuple):
    """The limit; one client; many clients; an open loop at a share of their rate."""

    limit: Limit
    one: Result
    many: Measured
    steady: Result

    @property
    def share(self) -> float:
        """The rate of many clients over the limit."""
        return self.many.load.rate / self.limit.images

    @property
    def failed(self) -> int:
        """The number of requests without a good answer."""
        return self.one.failed + self.many.load.failed + self.steady.failed


class Measurement(NamedTuple):
    """How to measure: rounds, seconds per load, clients of the closed loop."""

    rounds: int
    seconds: float
    clients: int


def rounds(server: Serving, name: str, settings: Settings, plan: Measurement) -> Iterator[Round]:
    """Yield the rounds with a scene, or with all scenes in all forms; the server must be fresh."""
    calls = requests(name)
    warm_up(server.url, calls, plan.clients, plan.seconds)
    for _ in range(plan.rounds):
        limit = limit_of(name, settings, plan.seconds)
        one = run(closed_loop(server.url, calls, 1, plan.seconds))
        many = measured(server, calls, plan.clients, plan.seconds)
        yield Round(limit, one, many, steady(server, calls, many.load, plan.seconds))


def limit_of(name: str, settings: Settings, seconds: float) -> Limit:
    """The limit for a scene; for several scenes in turns, from the mean time of each."""
    names = list(MIXED) if name == EVERYTHING else [name]
    each = [plain(settings, scene(name), seconds / len(names)) for name in names]
    return Limit(
        *(len(names) / sum(1 / rate for rate in rates) for rates in zip(*each, strict=True))
    )


def plain(settings: Settings, body: bytes, seconds: float) -> Limit:
    """The limit for one JPEG, again and again, with a process per worker of the service."""
    count = settings.workers or cpu.available()
    return Limit(*side_by_side("bench.limit.work", body, seconds, count))
