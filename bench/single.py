"""What the load does not show: figures of one request, of one image, of one start.

Each is a sentence, a value and what it should be at least or at most.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from bench.forms import as_msgpack
from bench.load import closed_loop, requests
from bench.mix import sent
from bench.scenes import scene
from bench.wire import Line, run
from bench.work import Work

ONE_FACE, LARGE = "640x480, 1 face", "4000x3000, 1 face"
IMAGES = 32


class Figure(NamedTuple):
    """What was measured, and its target."""

    name: str
    value: float
    unit: str
    target: str

    def __str__(self) -> str:
        return f"| {self.name} | {self.value:.2f} {self.unit} | {self.target} |"


def figures(url: str, work: Work, seconds: float) -> Iterator[Figure]:
    """Yield the figures of the service at `url`."""
    yield window_tax(url, work, seconds)
    yield one_request(url, seconds)
    yield scaled_decoding(work, seconds)


def window_tax(url: str, work: Work, seconds: float) -> Figure:
    """What one client at a time pays beyond the pipeline's own time, medians taken in turns."""
    body, taxes = scene(ONE_FACE), []
    for _ in range(5):
        alone = _milliseconds(lambda: work.answer(body), seconds / 10)
        result = run(closed_loop(url, requests(ONE_FACE), 1, seconds / 10))
        taxes.append(result.quantile(0.5) - alone)
    return Figure("one client: beyond the pipeline's own time", median(taxes), "ms", "under 1.5 ms")


def one_request(url: str, seconds: float) -> Figure:
    """Seconds for requests sent at once, over those for one with all their images; in turns."""
    ratio = run(_many_over_one(url, seconds))
    return Figure("32 images in one request, over 32 requests", ratio, "x", "at least 1.0")


async def _many_over_one(url: str, seconds: float) -> float:
    alone, together = requests(ONE_FACE)[0], sent(as_msgpack([scene(ONE_FACE)] * IMAGES))
    lines, ratios = [Line(url) for _ in range(IMAGES)], list[float]()
    await _answered(lines, alone)
    until = time.perf_counter() + seconds
    while not ratios or time.perf_counter() < until:
        many = await _answered(lines, alone)
        ratios.append(many / await _answered(lines[:1], together))
    for line in lines:
        line.close()
    return median(ratios)


async def _answered(lines: Sequence[Line], content: bytes) -> float:
    """Seconds until the last of `lines` has its answer."""
    started = time.perf_counter()
    await asyncio.gather(*(line.send(content) for line in lines))
    return time.perf_counter() - started


def scaled_decoding(work: Work, seconds: float) -> Figure:
    """The pipeline's time with a JPEG decoded whole, over that with it decoded at need."""
    body, ratios = scene(LARGE), []
    for _ in range(3):
        whole = _milliseconds(lambda: work.answer(body, whole=True), seconds / 6)
        ratios.append(whole / _milliseconds(lambda: work.answer(body), seconds / 6))
    name = "12-megapixel JPEG decoded at need, over whole"
    return Figure(name, median(ratios), "x faster", "at least 2.0")


def _milliseconds(run: Callable[[], object], seconds: float) -> float:
    """Median time of a call."""
    run()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        started = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - started))
    return median(times)
