"""`python -m bench.overload`: what is left of the service when far more is asked than it can do.

First the most that clients get who each wait for an answer before they ask again; then requests at
random moments, whatever the service does, up to ten times as many. Goodput is the images answered
a second within the time that their clients wait. Prints a Markdown table, and with `--picture`
draws it.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.scenes import SIZES, scene
from bench.serving import serving
from bench.wire import Line, request

CLIENTS = 16
FACTORS = (0.5, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0)
WANTED = 0.95


@dataclass
class Load:
    """What came back of one load, within its time."""

    offered: float
    elapsed: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    good: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def note(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        if status == 200:
            self.good.append(seconds)
        elif status == 503:
            self.refused.append(seconds)

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return len(self.good) / self.elapsed


async def closed(url: str, content: bytes, seconds: float) -> Load:
    """Clients that ask again when they are answered."""
    load, started = Load(0.0), time.perf_counter()

    async def client() -> None:
        line = Line(url)
        while (begun := time.perf_counter()) < started + seconds:
            load.note((await line.send(content)).status, time.perf_counter() - begun)
        await line.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    load.elapsed = time.perf_counter() - started
    load.offered = load.goodput
    return load


async def opened(url: str, content: bytes, rate: float, seconds: float) -> Load:
    """Requests at `rate` a second, at exponentially distributed distances (Poisson).

    What is answered after the end does not count: a queue that was filled is no goodput.
    """
    load, rng, idle = Load(rate), random.Random(0), list[Line]()  # noqa: S311  (arrivals)
    started = due = time.perf_counter()

    async def one(due: float) -> None:
        line = idle.pop() if idle else Line(url)
        reply = await line.send(content)
        now = time.perf_counter()
        idle.append(line)
        if now < started + seconds:
            load.note(reply.status, now - due)

    async with asyncio.TaskGroup() as group:
        while due < started + seconds:
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(due))
            due += rng.expovariate(rate)
    for line in idle:
        await line.close()
    load.elapsed = seconds
    return load


HEAD = """\
| offered, images/s | goodput, images/s | of the peak | answered p50, p99 ms | refused (503) p50, \
p99 ms | statuses |
|---|---|---|---|---|---|"""


def row(load: Load, peak: float) -> str:
    """A load as a line of the table."""
    statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(load.statuses.items()))
    shares = f"{load.offered:.0f} | {load.goodput:.1f} | {load.goodput / peak:.2f}"
    return f"| {shares} | {_times(load.good)} | {_times(load.refused)} | {statuses} |"


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    return ", ".join(f"{1000 * float(np.quantile(seconds, share)):.0f}" for share in (0.5, 0.99))


def draw(loads: list[Load], path: Path) -> None:
    """Goodput over what was offered."""
    import matplotlib as mpl  # noqa: PLC0415  (only here, and slow)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(8, 3.5), dpi=120)
    offered = [load.offered for load in loads]
    peak = max(load.goodput for load in loads)
    axes.plot(offered, [load.goodput for load in loads], marker="o", label="answered")
    axes.axhline(WANTED * peak, linestyle="--", color="grey", label=f"{WANTED} of the peak")
    axes.set(xlabel="offered, images/s", ylabel="goodput, images/s", ylim=(0, 1.2 * peak))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


async def measure(url: str, content: bytes, seconds: float) -> list[Load]:
    """The closed loop, then the open one at each of `FACTORS` times its goodput."""
    await closed(url, content, min(seconds, 3))
    first = await closed(url, content, seconds)
    loads = [first]
    for factor in FACTORS:
        loads.append(await opened(url, content, factor * first.goodput, seconds))
        print(f"  {factor} times: {loads[-1].goodput:.1f} images/s", file=sys.stderr)
    return loads


def main() -> int:
    """Overload a server of our own; fails where its goodput breaks down."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30, help="for each load")
    arguments.add_argument("--scene", choices=SIZES, default="640x480, 1 face")
    arguments.add_argument("--patience-ms", type=int, help="how long clients wait for an answer")
    arguments.add_argument("--picture", type=Path)
    given = arguments.parse_args()
    headers = {"content-type": "image/jpeg"}
    if given.patience_ms:
        headers["x-request-deadline-ms"] = str(given.patience_ms)
    content = request(scene(given.scene), headers)
    with serving() as server:
        loads = asyncio.run(measure(server.url, content, given.seconds))
    peak = max(load.goodput for load in loads)
    print("\n".join([HEAD, *(row(load, peak) for load in loads)]))
    if given.picture:
        draw(loads, given.picture)
    return int(loads[-1].goodput < WANTED * peak)


if __name__ == "__main__":
    sys.exit(main())
