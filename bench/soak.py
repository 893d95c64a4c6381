"""`python -m bench.soak --requests 100000`: mixed requests to a real server, for a long time.

Prints, for each window of requests, the latencies, and the memory, descriptors and threads that the
server and its children hold while no request runs; at the end, what has grown since the first
thousand requests. Prints a Markdown table and, with `--picture`, draws a picture.
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

from bench.load.client import Connection, run
from bench.load.mix import Call, mix
from bench.load.result import middle
from bench.measure.output import header, picture, row
from bench.measure.processes import Resources, resources
from bench.measure.service import serving

CLIENTS, WARM, WINDOWS = 8, 1000, 20
# Without requests, before the resources are measured.
REST_S = 2.0


class Window(NamedTuple):
    """A part of the requests.

    `done`: requests until its end, earlier windows included; `latencies`: seconds; `at_rest`: what
    the server holds afterwards, while no request runs; `wrong`: unexpected answers.
    """

    done: int
    latencies: list[float]
    rate: float
    at_rest: Resources
    wrong: Counter[str]

    def quantile(self, share: float) -> float:
        """A quantile of the latencies in milliseconds."""
        return float(np.quantile(self.latencies, share)) * 1000


async def soak(url: str, pid: int, requests: int, number: int = WINDOWS) -> list[Window]:
    """Send `requests` in windows: the first thousand (or a tenth), then `number` equal ones."""
    calls = mix(random.Random(0))  # noqa: S311  (the order of requests)
    connections = [Connection(url) for _ in range(CLIENTS)]
    first, done = min(WARM, requests // 10), 0
    windows: list[Window] = []
    for size in [first, *[(requests - first) // number] * number]:
        latencies, rate, wrong = await _send(connections, calls, range(done, done + size))
        done += size
        await asyncio.sleep(REST_S)
        windows.append(Window(done, latencies, rate, resources(pid), wrong))
        print(_row(windows[-1]), flush=True)
    for connection in connections:
        connection.close()
    return windows


async def _send(
    connections: list[Connection], calls: list[Call], numbers: range
) -> tuple[list[float], float, Counter[str]]:
    """Send the requests of a window; return latencies, requests per second, wrong answers."""
    turns, latencies, wrong = iter(numbers), list[float](), Counter[str]()
    started = time.perf_counter()

    async def client(connection: Connection) -> None:
        for turn in turns:
            call, begun = calls[turn % len(calls)], time.perf_counter()
            reply = await connection.send(call.content)
            latencies.append(time.perf_counter() - begun)
            if reply.status != call.status:
                wrong[f"{reply.error or reply.status} instead of {call.status}"] += 1

    await asyncio.gather(*map(client, connections))
    return latencies, len(numbers) / (time.perf_counter() - started), wrong


HEAD = header(
    "requests | per second | p50, ms | p99, ms | memory, MiB | descriptors | threads | unexpected"
)


def _row(window: Window) -> str:
    p50, p99 = window.quantile(0.5), window.quantile(0.99)
    wrong = ", ".join(f"{what}: {n}" for what, n in window.wrong.items()) or "none"
    mib, descriptors, threads = window.at_rest
    times = f"{window.rate:.0f}", f"{p50:.1f}", f"{p99:.0f}"
    return row(f"{window.done:,}", *times, f"{mib:.1f}", descriptors, threads, wrong)


def growth(windows: list[Window]) -> float:
    """The growth of memory since the first window in percent."""
    return 100 * (windows[-1].at_rest.mib / windows[0].at_rest.mib - 1)


def verdict(windows: list[Window]) -> str:
    """What has changed since the first window, in one line."""
    first, last = windows[0].at_rest, windows[-1].at_rest
    half = len(windows) // 2 + 1
    early, late = (
        middle(part, lambda w: w.quantile(0.99)) for part in (windows[1:half], windows[half:])
    )
    trend = np.polyfit([w.done for w in windows], [w.at_rest.mib for w in windows], 1)[0]
    grown = trend * (windows[-1].done - windows[0].done) / first.mib
    return (
        f"memory {growth(windows):+.2f} % (its trend: {100 * grown:+.2f} %), "
        f"descriptors {last.descriptors - first.descriptors:+d}, "
        f"threads {last.threads - first.threads:+d}, "
        f"median p99 of the second half {100 * (late / early - 1):+.1f} % against the first, "
        f"{sum(sum(w.wrong.values()) for w in windows)} unexpected answers"
    )


def draw(windows: list[Window], path: Path) -> None:
    """Draw memory and latency over the requests."""
    done, mib = [w.done for w in windows], [w.at_rest.mib for w in windows]
    with picture(path, 2, 1, sharex=True, figsize=(8, 5)) as (_, (memory, latency)):
        memory.plot(done, mib, marker="o", color="#3b82d6")
        memory.set(ylabel="memory, MiB", ylim=(0, 1.2 * max(mib)))
        for share, label in ((0.99, "p99"), (0.5, "p50")):
            values = [w.quantile(share) for w in windows[1:]]
            latency.plot(done[1:], values, marker="o", label=label)
        latency.set(ylabel="latency, ms", xlabel="requests", yscale="log")
        latency.legend()
        for axes in (memory, latency):
            axes.grid(alpha=0.3)


def main() -> int:
    """Soak a server; fail if an answer was not the expected one."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    print(HEAD)
    with serving() as server:
        windows = run(soak(server.url, server.pid, options.requests))
    print(f"\nSince the first {windows[0].done:,}: {verdict(windows)}.")
    if options.picture:
        draw(windows, options.picture)
    return int(any(w.wrong for w in windows))


if __name__ == "__main__":
    sys.exit(main())
