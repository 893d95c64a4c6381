"""`python -m bench.recovery`: `kill -9` on one of several workers under load.

Starts a server and prints, for each kill, the answers in each second around it, how long the
service was not ready, whether other workers ended or opened a network again, and when a new worker
had replaced the killed one. With `--topology device` the networks run in a device process.
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

from bench.inputs.scenes import ONE_FACE
from bench.load.client import Connection, request, run
from bench.load.loops import closed_loop
from bench.load.mix import requests
from bench.load.result import Result
from bench.measure.output import header, row
from bench.measure.processes import command, tree
from bench.measure.service import Serving, serving

# Seconds between two checks of readiness, and of the processes, which take longer to list.
POLL_S, LIST_S = 0.005, 0.05
# Seconds between two kills, and the part of them in which the processes are watched.
BETWEEN_S, WATCHED = 4.0, 0.875
WORKER = "analysis.workers.worker"
SECONDS = range(-2, 3)
HEAD = header(
    "kill | "
    + " | ".join(f"answers from {second:+d} to {second + 1:+d} s" for second in SECONDS)
    + " | not ready, s | other workers died | plans opened by others | replaced after, s"
)


class Kill(NamedTuple):
    """Time of a kill in seconds of the load, and what happened to the other workers."""

    at: float
    died: int
    reopened: int
    replaced_s: float | None


class Recovery(NamedTuple):
    """All kills, the load, and the times of the load at which the service was not ready."""

    kills: list[Kill]
    load: Result
    unready: list[float]

    def row(self, number: int) -> str:
        """One kill as a line of the table."""
        kill = self.kills[number]
        times = [answer.at - kill.at for answer in self.load.answers]
        unready = POLL_S * sum(kill.at <= at < kill.at + BETWEEN_S for at in self.unready)
        return row(
            number + 1,
            *(sum(second <= at < second + 1 for at in times) for second in SECONDS),
            f"{unready:.2f}",
            kill.died,
            kill.reopened,
            "-" if kill.replaced_s is None else f"{kill.replaced_s:.2f}",
        )

    @property
    def failed(self) -> bool:
        """Whether a request failed, readiness was lost, or another worker was disturbed."""
        disturbed = any(kill.died or kill.reopened for kill in self.kills)
        return bool(self.load.failed or self.unready or disturbed)


async def measure(
    server: Serving, opened: Path, *, kills: int, clients: int, between_s: float = BETWEEN_S
) -> Recovery:
    """Kill a worker every few seconds; `opened` is the file of `bench.fakes.recorder`."""
    started = time.perf_counter()
    calls, seconds = requests(ONE_FACE), between_s * (kills + 1)
    load = asyncio.create_task(closed_loop(server.url, calls, clients, seconds))
    unready: list[float] = []
    watch = asyncio.create_task(_watch(server.url, started, unready))
    found = []
    for number in range(1, kills + 1):
        await asyncio.sleep(started + between_s * number - time.perf_counter())
        found.append(await _kill(server.pid, opened, started, WATCHED * between_s))
    result = await load
    watch.cancel()
    await asyncio.wait([watch])
    return Recovery(found, result, unready)


async def _kill(pid: int, opened: Path, started: float, watched_s: float) -> Kill:
    before, opens = workers(pid), _opens(opened)
    killed, *others = before
    at = time.perf_counter()
    os.kill(killed, signal.SIGKILL)
    replaced: float | None = None
    while time.perf_counter() < at + watched_s:
        await asyncio.sleep(LIST_S)
        # A new worker is ready when it has opened as many plans as the killed one. In front of a
        # device process workers open none, so this time is not known.
        if replaced is None and opens[killed]:
            new, now = set(workers(pid)) - set(before), _opens(opened)
            if any(now[each] >= opens[killed] for each in new):
                replaced = time.perf_counter() - at
    reopened = sum(_opens(opened)[other] - opens[other] for other in others)
    return Kill(at - started, len(set(others) - set(workers(pid))), reopened, replaced)


async def _watch(url: str, started: float, unready: list[float]) -> None:
    connection, probe = Connection(url), request(path="/readyz", method="GET")
    try:
        while True:
            if (await connection.send(probe)).status != 200:
                unready.append(time.perf_counter() - started)
            await asyncio.sleep(POLL_S)
    finally:
        connection.close()


def workers(pid: int) -> list[int]:
    """Process ids of the workers of a server."""
    return [each.pid for each in tree(pid) if WORKER in command(each.pid)]


def _opens(opened: Path) -> Counter[int]:
    """The number of plans that each process has opened."""
    return Counter(int(line.split()[0]) for line in opened.read_text().splitlines())


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and print; fail if a kill disturbed more than its worker."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--between", type=float, default=BETWEEN_S, help="seconds")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, help="processes; by default the service decides")
    parser.add_argument("--topology", choices=("device", "local"), default="local")
    options = parser.parse_args(arguments)
    settings = {"workers": str(options.workers)} if options.workers else {}
    settings["device_process"] = str(options.topology == "device").lower()
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(folder, "opened")
        opened.touch()
        with serving(engine=f"bench.fakes:recorder:{opened}", **settings) as server:
            how = {"kills": options.kills, "clients": options.clients}
            found = run(measure(server, opened, **how, between_s=options.between))
    print("\n".join([HEAD, *map(found.row, range(options.kills))]))
    slowest = max(found.load.seconds(), default=float("nan"))
    print(
        f"\n{found.load.sent} requests, answers by status {found.load.statuses}, "
        f"the slowest after {slowest:.1f} s."
    )
    return int(found.failed)


if __name__ == "__main__":
    sys.exit(main())
