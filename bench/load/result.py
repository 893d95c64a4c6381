"""The answers to a load, and their statistics."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np

from bench.load.client import Reply

OK = 200
T = TypeVar("T")


class Answer(NamedTuple):
    """A status, its latency in seconds, and its time in seconds since the load began."""

    status: int
    seconds: float
    at: float


@dataclass
class Result:
    """The answers to a load of `elapsed` seconds.

    `offered`: requests per second; `cpu_s`: CPU time of the clients; `clients`: how many there were
    in a closed loop, None in an open loop.
    """

    offered: float = float("nan")
    answers: list[Answer] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0
    cpu_s: float = 0.0
    clients: int | None = None

    def add(self, reply: Reply, due: float, started: float) -> None:
        """Count a reply that came now; `due` and `started` are times of `time.perf_counter`."""
        now = time.perf_counter()
        if reply.error:
            self.errors[reply.error] += 1
        else:
            self.answers.append(Answer(reply.status, now - due, now - started))

    @property
    def rate(self) -> float:
        """Good answers per second. Answers after the end only emptied queues, and do not count."""
        return sum(a.status == OK and a.at <= self.elapsed for a in self.answers) / self.elapsed

    @property
    def sent(self) -> int:
        """The number of requests."""
        return len(self.answers) + self.errors.total()

    @property
    def failed(self) -> int:
        """The number of requests without a good answer."""
        return self.sent - len(self.seconds())

    @property
    def statuses(self) -> dict[int | str, int]:
        """The number of requests by status, or by error where there is no answer."""
        statuses = Counter(answer.status for answer in self.answers)
        return dict(sorted(statuses.items())) | dict(sorted(self.errors.items()))

    def seconds(self, status: int = OK) -> list[float]:
        """The latency of each answer with this status."""
        return [answer.seconds for answer in self.answers if answer.status == status]

    def quantile(self, share: float, status: int = OK) -> float:
        """A quantile of the latencies in milliseconds; nan if no answer has this status."""
        seconds = self.seconds(status)
        return float(np.quantile(seconds, share)) * 1000 if seconds else float("nan")


def middle(rounds: Iterable[T], figure: Callable[[T], float]) -> float:
    """The median of a figure over the rounds."""
    return median(map(figure, rounds))


def percentiles(results: Sequence[Result], *percents: int) -> list[float]:
    """Percentiles of the latency in milliseconds, each the median over the rounds."""
    return [median(each.quantile(percent / 100) for each in results) for percent in percents]


def latencies(results: Sequence[Result], *percents: int) -> str:
    """The same as text for a table: "12, 34"."""
    return ", ".join(f"{each:.0f}" for each in percentiles(results, *percents))
