"""`python -m bench.recovery`: one of several workers is killed with `kill -9` under load.

Starts a server of its own and prints, for each kill, the answers in each second around it, how long
the service was not ready, whether the other workers went on as they were, and when a new worker had
replaced the killed one. With `--topology device` the networks are in a device process.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.load import Result, closed_loop, requests
from bench.processes import command, tree
from bench.serving import Serving, serving
from bench.wire import Line, request, run

POLL_S, BETWEEN_S, REPLACED_S = 0.005, 4.0, 3.5
WORKER = "analysis.workers.worker"
SCENE = "640x480, 1 face"
SECONDS = range(-2, 3)
HEAD = (
    "| kill | answers in the second from "
    + " | ".join(f"{second:+d} s" for second in SECONDS)
    + " | not ready, s | other workers died | plans opened by others | replaced after, s |"
)


class Kill(NamedTuple):
    """When a worker was killed, in seconds of the load, and what became of the other processes."""

    at: float
    died: int
    reopened: int
    replaced_s: float | None


class Recovery(NamedTuple):
    """All kills, the load, and the seconds of the load at which the service was not ready."""

    kills: list[Kill]
    load: Result
    unready: list[float]

    def row(self, number: int) -> str:
        """One kill as a line of the table."""
        kill = self.kills[number]
        counts = [
            sum(kill.at + s <= a.at < kill.at + s + 1 for a in self.load.answers) for s in SECONDS
        ]
        unready = POLL_S * sum(kill.at <= at < kill.at + BETWEEN_S for at in self.unready)
        replaced = "-" if kill.replaced_s is None else f"{kill.replaced_s:.2f}"
        return (
            f"| {number + 1} | {' | '.join(map(str, counts))} | {unready:.2f} | {kill.died} "
            f"| {kill.reopened} | {replaced} |"
        )

    @property
    def failed(self) -> bool:
        """Whether a request failed, readiness was lost, or another worker was disturbed."""
        disturbed = any(kill.died or kill.reopened for kill in self.kills)
        return bool(self.load.failed or self.unready or disturbed)


async def measure(server: Serving, opened: Path, kills: int, clients: int) -> Recovery:
    """Kill a worker every few seconds; `opened` is the file of a `bench.fakes.recorder`."""
    seconds = BETWEEN_S * (kills + 1)
    started = time.perf_counter()
    load = asyncio.create_task(closed_loop(server.url, requests(SCENE), clients, seconds))
    unready: list[float] = []
    watch = asyncio.create_task(_watch(server.url, started, unready))
    found = []
    for number in range(kills):
        await asyncio.sleep(started + BETWEEN_S * (number + 1) - time.perf_counter())
        found.append(await _kill(server.pid, opened, started))
    result = await load
    watch.cancel()
    await asyncio.wait([watch])
    return Recovery(found, result, unready)


async def _kill(pid: int, opened: Path, started: float) -> Kill:
    before, opens = workers(pid), _opens(opened)
    killed, others = before[0], set(before[1:])
    at = time.perf_counter()
    os.kill(killed, signal.SIGKILL)
    replaced: float | None = None
    while time.perf_counter() < at + REPLACED_S:
        await asyncio.sleep(POLL_S)
        new = set(workers(pid)) - set(before)
        # A worker with networks of its own has opened as many as the killed one had.
        if new and replaced is None and _opens(opened)[min(new)] >= opens[killed]:
            replaced = time.perf_counter() - at
    reopened = sum(_opens(opened)[other] - opens[other] for other in others)
    return Kill(at - started, len(others - set(workers(pid))), reopened, replaced)


async def _watch(url: str, started: float, unready: list[float]) -> None:
    line, probe = Line(url), request(path="/readyz", method="GET")
    try:
        while True:
            if (await line.send(probe)).status != 200:
                unready.append(time.perf_counter() - started)
            await asyncio.sleep(POLL_S)
    finally:
        line.close()


def workers(pid: int) -> list[int]:
    """Process ids of the workers of a server."""
    return [each for each in tree(pid) if WORKER in command(each)]


def _opens(opened: Path) -> Counter[int]:
    """How many plans each process has opened."""
    return Counter(int(line.split()[0]) for line in opened.read_text().splitlines())


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and print; fails where a kill disturbed more than its worker."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: the service picks")
    parser.add_argument("--topology", choices=("device", "local"), default="local")
    given = parser.parse_args(arguments)
    settings = {"workers": str(given.workers)} if given.workers else {}
    settings["device_process"] = str(given.topology == "device").lower()
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(folder, "opened")
        opened.touch()
        with serving(("bench.serve", f"bench.fakes:recorder:{opened}"), **settings) as server:
            found = run(measure(server, opened, given.kills, given.clients))
    print(HEAD)
    print("|---" * (len(SECONDS) + 5) + "|")
    print("\n".join(found.row(number) for number in range(given.kills)))
    slowest = max(found.load.seconds(), default=float("nan"))
    print(
        f"\n{found.load.sent} requests, answers by status {found.load.statuses}, "
        f"the slowest after {slowest:.1f} s."
    )
    return int(found.failed)


if __name__ == "__main__":
    sys.exit(main())
