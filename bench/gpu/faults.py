"""Stage `faults`: the device process, and then a worker, is killed while the service is loaded."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bench.gpu.day import Day, running, service_settings, usable
from bench.gpu.load import failures
from bench.gpu.results import Figure, Finding, Problem
from bench.load.client import run
from bench.load.loops import closed_loop
from bench.load.mix import requests
from bench.load.result import Result
from bench.measure.processes import command, tree
from bench.measure.service import Serving, warm_up

VICTIMS = {"device process": "analysis.workers.device", "worker": "analysis.workers.worker"}
BEFORE_S = 1.0
# The service waits this long for a new process before it answers 503, see docs/limits.md.
LONGEST_GAP_S = 10.0


def faults(day: Day) -> Iterator[Finding]:
    """Yield the effect of each kill: no request may fail, and answers must resume."""
    after_s = 3 * day.load_s  # the new process opens all plans
    for engine in usable(day):
        with running(service_settings(day, engine)) as server:
            calls = requests(day.scenes[0])
            warm_up(server.url, calls, day.clients, day.load_s)
            for name, module in VICTIMS.items():
                found = run(killed(server, module, calls, day.clients, after_s))
                yield from verdict(f"{engine.name}, {name} killed", found)


async def killed(
    server: Serving, module: str, calls: Sequence[bytes], clients: int, after_s: float
) -> Result:
    """Load the service and kill the first process of `module` after `BEFORE_S`."""
    load = asyncio.create_task(closed_loop(server.url, calls, clients, BEFORE_S + after_s))
    await asyncio.sleep(BEFORE_S)
    os.kill(processes(server.pid, module)[0], signal.SIGKILL)
    return await load


def processes(pid: int, module: str) -> list[int]:
    """Process ids of the service's processes that run `module`."""
    return [each.pid for each in tree(pid) if module in command(each.pid)]


def verdict(name: str, result: Result) -> Iterator[Finding]:
    """Yield the longest time without an answer, and the problems."""
    times = sorted([0.0, *(answer.at for answer in result.answers), result.elapsed])
    gap = max(later - earlier for earlier, later in pairwise(times))
    values = {"answers": float(result.sent), "failed": float(result.failed), "gap_s": round(gap, 2)}
    yield Figure(name, values)
    yield from failures(name, result)
    if gap > LONGEST_GAP_S:
        yield Problem(f"{name}: no answer for {gap:.1f} s")
