"""`python -m bench.soak --requests 100000`: mixed requests to a real server, for a long time.

Tells for each window what the answers took, and what the server and its children hold while nobody
asks; at the end, what grew since the first thousand. Writes a Markdown table and, with `--picture`,
a picture.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.mix import Sent, mix
from bench.picture import pyplot
from bench.processes import Holding, holding
from bench.serving import serving
from bench.wire import Line, run

CLIENTS = 8
WARM = 1000
WINDOWS = 20
REST_S = 2.0


class Window(NamedTuple):
    """Some requests: how many in all until its end, seconds of each, and what was held then."""

    done: int
    seconds: list[float]
    rate: float
    held: Holding
    wrong: Counter[str]

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of the answers took at most."""
        return float(np.quantile(self.seconds, share)) * 1000


async def soak(url: str, pid: int, requests: int, number: int = WINDOWS) -> list[Window]:
    """Send `requests` in windows: the first thousand (or a tenth), then `number` equal ones."""
    rng = random.Random(0)  # noqa: S311  (a deck of requests, not secrets)
    deck, lines = mix(rng), [Line(url) for _ in range(CLIENTS)]
    first = min(WARM, requests // 10)
    sizes = [first, *[(requests - first) // number] * number]
    windows: list[Window] = []
    for size in sizes:
        done = windows[-1].done if windows else 0
        windows.append(await _window(lines, deck, done, size, pid))
        print(_row(windows[-1]), flush=True)
    for line in lines:
        line.close()
    return windows


async def _window(lines: list[Line], deck: list[Sent], done: int, size: int, pid: int) -> Window:
    turns, seconds, wrong = iter(range(done, done + size)), list[float](), Counter[str]()
    started = time.perf_counter()

    async def client(line: Line) -> None:
        for turn in turns:
            sent, begun = deck[turn % len(deck)], time.perf_counter()
            reply = await line.send(sent.content)
            seconds.append(time.perf_counter() - begun)
            if reply.status != sent.status:
                wrong[f"{reply.error or reply.status} instead of {sent.status}"] += 1

    await asyncio.gather(*(client(line) for line in lines))
    rate = size / (time.perf_counter() - started)
    await asyncio.sleep(REST_S)
    return Window(done + size, seconds, rate, holding(pid), wrong)


HEAD = """\
| requests | a second | p50, ms | p99, ms | memory, MiB | descriptors | threads | unexpected |
|---|---|---|---|---|---|---|---|"""


def _row(window: Window) -> str:
    times = f"{window.quantile(0.5):.1f} | {window.quantile(0.99):.0f}"
    held = f"{window.held.mib:.1f} | {window.held.descriptors} | {window.held.threads}"
    wrong = ", ".join(f"{what}: {n}" for what, n in window.wrong.items()) or "none"
    return f"| {window.done:,} | {window.rate:.0f} | {times} | {held} | {wrong} |"


def growth(windows: list[Window]) -> float:
    """Percent of memory that was added since the first window."""
    return 100 * (windows[-1].held.mib / windows[0].held.mib - 1)


def verdict(windows: list[Window]) -> str:
    """What has changed since the first window, in a line."""
    first, last = windows[0].held, windows[-1].held
    half = len(windows) // 2 + 1
    early, late = (
        float(np.median([w.quantile(0.99) for w in part]))
        for part in (windows[1:half], windows[half:])
    )
    trend = np.polyfit([w.done for w in windows], [w.held.mib for w in windows], 1)[0]
    grown = trend * (windows[-1].done - windows[0].done) / first.mib
    return (
        f"memory {growth(windows):+.2f} % (its trend: {100 * grown:+.2f} %), "
        f"descriptors {last.descriptors - first.descriptors:+d}, "
        f"threads {last.threads - first.threads:+d}, "
        f"median p99 of the second half {100 * (late / early - 1):+.1f} % against the first, "
        f"{sum(sum(w.wrong.values()) for w in windows)} unexpected answers"
    )


def draw(windows: list[Window], path: Path) -> None:
    """Memory and latency over the requests."""
    plt = pyplot()
    done = [w.done for w in windows]
    figure, (memory, latency) = plt.subplots(2, 1, sharex=True, figsize=(8, 5), dpi=120)
    memory.plot(done, [w.held.mib for w in windows], marker="o", color="#3b82d6")
    memory.set(ylabel="resident memory, MiB", ylim=(0, 1.2 * max(w.held.mib for w in windows)))
    latency.plot(done[1:], [w.quantile(0.99) for w in windows[1:]], marker="o", label="p99")
    latency.plot(done[1:], [w.quantile(0.5) for w in windows[1:]], marker="o", label="p50")
    latency.set(ylabel="ms an answer", xlabel="requests", yscale="log")
    latency.legend()
    for axes in (memory, latency):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> int:
    """Soak a server of our own; fails where an answer was not the expected one."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=100_000)
    arguments.add_argument("--picture", type=Path)
    given = arguments.parse_args()
    print(HEAD)
    with serving() as server:
        windows = run(soak(server.url, server.pid, given.requests))
    print(f"\nSince the first {windows[0].done:,}: {verdict(windows)}.")
    if given.picture:
        draw(windows, given.picture)
    return int(any(w.wrong for w in windows))


if __name__ == "__main__":
    sys.exit(main())
