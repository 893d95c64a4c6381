"""The most that this machine can do: the service's own work in a plain loop, with no HTTP.

A process a core answers one image after the other; nothing waits and nothing is shared. Threads of
one process would wait for each other's interpreter and memory, and servers exceed what they do.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

from bench.work import Work
from engines import cpu
from service.settings import Settings


class Limit(NamedTuple):
    """Images a second over all cores: all of the work, and decoding alone."""

    images: float
    decoded: float


def images_a_second(settings: Settings, body: bytes, seconds: float) -> Limit:
    """Rates for one JPEG, again and again, of the processes' loops side by side."""
    count = settings.workers or cpu.available()
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(count)
    with ProcessPoolExecutor(count, spawn, _meet_at, (barrier,)) as pool:
        loops = [pool.submit(_loops, body, seconds) for _ in range(count)]
        found = [loop.result() for loop in loops]
    return Limit(sum(limit.images for limit in found), sum(limit.decoded for limit in found))


def _meet_at(barrier: Barrier) -> None:
    globals()["_barrier"] = barrier  # cannot be sent with the work


def _loops(body: bytes, seconds: float) -> Limit:
    with Work.by_environment() as work:
        images = _rate(lambda: work.answer(body), seconds)
        return Limit(images, _rate(lambda: work.decode(body), seconds / 10))


def _rate(run: Callable[[], object], seconds: float) -> float:
    run()
    barrier: Barrier = globals()["_barrier"]
    barrier.wait()
    count, started = 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        run()
        count += 1
    return count / (time.perf_counter() - started)
