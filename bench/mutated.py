"""`python -m bench.mutated --count 1000000`: sends damaged bodies through the whole service.

The networks are fake, everything else is real. Prints the number of bodies, their statuses, and the
resident memory after the first thousand and at the end. Fails if a status is 5xx, and keeps those
bodies in `build/mutated`.
"""

import argparse
import asyncio
import collections
import logging
import math
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from fastapi import FastAPI

from bench.fakes.asgi import Reply, application, ask
from bench.inputs.forms import Body
from bench.inputs.mutations import mutated
from bench.measure.output import header, row
from bench.measure.processes import resident_mib
from service.settings import Settings

WARM, AT_ONCE, KEPT = 1000, 16, 100
QUERIES = (b"", b"max_faces=1", b"min_score=0.9&labels=happy,sad", b"min_score=nan", b"labels=")


@dataclass
class Report:
    """The answers; `early` and `late` are MiB after `WARM` bodies and at the end."""

    count: int = 0
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    failures: list[Body] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0
    early: float = 0.0
    late: float = 0.0

    def add(self, body: Body, reply: Reply, seconds: float) -> None:
        """Count a reply; keep the body if the reply is a failure."""
        self.count += 1
        self.statuses[reply.status] += 1
        self.slowest = max(self.slowest, seconds)
        if reply.status >= 500 or reply.status < 200:
            self.failures.append(body)
        if self.count == WARM:
            self.early = resident_mib()


async def run(settings: Settings, count: int, seed: int, seconds: float = math.inf) -> Report:
    """Send `count` damaged bodies, `AT_ONCE` at a time, or as many as `seconds` suffice for."""
    report, started = Report(), time.perf_counter()

    async def client(rng: random.Random) -> None:
        for _ in range(count // AT_ONCE):
            if time.perf_counter() < started + seconds:
                await _send(app, rng, report)

    async with application(settings) as app:
        clients = (random.Random(f"{seed}-{i}") for i in range(AT_ONCE))  # noqa: S311
        await asyncio.gather(*(client(rng) for rng in clients))
        report.late = resident_mib()
    report.seconds = time.perf_counter() - started
    return report


async def _send(app: FastAPI, rng: random.Random, report: Report) -> None:
    body = mutated(rng)
    headers = {b"content-type": body.kind.encode("latin-1")}
    started = time.perf_counter()
    reply = await ask(app, body.content, headers, rng.choice(QUERIES))
    report.add(body, reply, time.perf_counter() - started)


def main() -> int:
    """Send, print a Markdown table, and keep failures."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutated", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these")
    options = parser.parse_args()
    # A log line takes longer than a request.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable()
    report = asyncio.run(run(Settings(), options.count, options.seed, options.seconds))
    print(header("bodies | per second | statuses | slowest, s | MiB after 1,000 | MiB at the end"))
    statuses = ", ".join(f"{s}: {n:,}" for s, n in sorted(report.statuses.items()))
    memory = f"{report.early:.1f}", f"{report.late:.1f}"
    rate = f"{report.count / report.seconds:.0f}"
    print(row(f"{report.count:,}", rate, statuses, f"{report.slowest:.2f}", *memory))
    _keep(report.failures)
    return int(bool(report.failures))


def _keep(failures: list[Body]) -> None:
    folder = Path("build/mutated")
    folder.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(failures[:KEPT]):
        (folder / f"{number}.body").write_bytes(body.kind.encode() + b"\n" + body.content)


if __name__ == "__main__":
    sys.exit(main())
