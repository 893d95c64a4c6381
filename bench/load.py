"""Clients of a running service: closed loop (each sends again when answered) or open loop.

`python -m bench.load URL --clients 32` or `--rate 40`; prints one line of figures. In the open loop
requests come at random moments (Poisson) whatever the service does, and time counts from the moment
a request should have left: waiting in the client is waiting.
"""

import argparse
import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bench.forms import as_it_is
from bench.mix import photographs, sent
from bench.scenes import SIZES, scene
from bench.wire import TIMEOUT_S, Line, Reply, run

OK = 200
EVERYTHING = "mixed"


class Answer(NamedTuple):
    """A status, the seconds that it took, and when it came: seconds since the load began."""

    status: int
    seconds: float
    at: float


@dataclass
class Result:
    """What came back of a load of `elapsed` seconds, which took `cpu_s` of the client's own CPU."""

    offered: float = float("nan")
    answers: list[Answer] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0
    cpu_s: float = 0.0

    def note(self, reply: Reply, due: float, started: float) -> None:
        """Count what came back, now, for what was due at a moment of `time.perf_counter`."""
        now = time.perf_counter()
        if reply.error:
            self.errors[reply.error] += 1
        else:
            self.answers.append(Answer(reply.status, now - due, now - started))

    @property
    def rate(self) -> float:
        """Good answers a second, of those that came before the end: a filled queue is no rate."""
        return sum(a.status == OK and a.at <= self.elapsed for a in self.answers) / self.elapsed

    @property
    def sent(self) -> int:
        """How many requests there were."""
        return len(self.answers) + self.errors.total()

    @property
    def failed(self) -> int:
        """How many of them had no good answer."""
        return self.sent - len(self.seconds())

    @property
    def statuses(self) -> dict[int | str, int]:
        """How many had which status, or which error instead of an answer."""
        statuses = Counter(answer.status for answer in self.answers)
        return dict(sorted(statuses.items())) | dict(sorted(self.errors.items()))

    def seconds(self, status: int = OK) -> list[float]:
        """Of each answer with a status."""
        return [answer.seconds for answer in self.answers if answer.status == status]

    def quantile(self, share: float, status: int = OK) -> float:
        """Milliseconds that this share of the answers with a status took at most; nan for none."""
        seconds = self.seconds(status)
        return float(np.quantile(seconds, share)) * 1000 if seconds else float("nan")


async def closed_loop(
    url: str,
    calls: Sequence[bytes],
    clients: int,
    seconds: float,
    *,
    timeout_s: float = TIMEOUT_S,
) -> Result:
    """Run `clients` that for `seconds` send the next of `calls` as soon as they are answered."""
    result, turns, began = Result(), itertools.cycle(calls), time.process_time()
    started = time.perf_counter()

    async def client() -> None:
        line = Line(url, timeout_s)
        while (begun := time.perf_counter()) < started + seconds:
            result.note(await line.send(next(turns)), begun, started)
        line.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    result.elapsed = time.perf_counter() - started
    result.cpu_s = time.process_time() - began
    result.offered = result.sent / result.elapsed
    return result


async def open_loop(
    url: str,
    calls: Sequence[bytes],
    rate: float,
    seconds: float,
    *,
    timeout_s: float = TIMEOUT_S,
) -> Result:
    """Send `calls` in turns for `seconds`, `rate` a second at exponentially distributed distances.

    Each has a connection to itself, as many as it takes.
    """
    result, rng, idle = Result(rate), random.Random(0), list[Line]()  # noqa: S311  (arrivals)
    turns, began = itertools.cycle(calls), time.process_time()
    started = due = time.perf_counter()

    async def one(content: bytes, due: float) -> None:
        line = idle.pop() if idle else Line(url, timeout_s)
        result.note(await line.send(content), due, started)
        idle.append(line)

    async with asyncio.TaskGroup() as group:
        while due < started + seconds:
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(next(turns), due))
            due += rng.expovariate(rate)
    for line in idle:
        line.close()
    result.elapsed = seconds
    result.cpu_s = time.process_time() - began
    return result


def requests(name: str) -> list[bytes]:
    """What is sent in turns: one of `SIZES` as it is, or "mixed"."""
    return photographs() if name == EVERYTHING else [sent(as_it_is(scene(name)))]


def main() -> None:
    """Load the service at a url and print what it did."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--rate", type=float, help="open loop, requests a second")
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--scene", choices=[*SIZES, EVERYTHING], default=next(iter(SIZES)))
    given = arguments.parse_args()
    calls = requests(given.scene)
    result = run(
        open_loop(given.url, calls, given.rate, given.seconds)
        if given.rate
        else closed_loop(given.url, calls, given.clients, given.seconds)
    )
    quantiles = ", ".join(f"p{q} {result.quantile(q / 100):.1f} ms" for q in (50, 95, 99))
    print(f"{result.rate:.1f} answers/s, {quantiles}, statuses {result.statuses}")


if __name__ == "__main__":
    main()
