"""A step of a load, the decisions during it, and what both led to."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.load.result import Result
from bench.measure.output import header, row

HEAD = header(
    "load, pods' worth | requests/s | most pods | pods at the end | changes | flaps | 200 | 503 | "
    "503 after the second scrape | others | p99, ms | p99 of the second half, ms"
)


def others(load: Result, *expected: int) -> str:
    """How many answers have another status than the expected ones: "2 (504), 1 (cut)", or "0"."""
    found = (f"{n} ({status})" for status, n in load.statuses.items() if status not in expected)
    return ", ".join(found) or "0"


class Moment(NamedTuple):
    """One decision: its time, the pods, and the values of the queries that have one."""

    at: float
    wanted: int
    ready: int
    values: Mapping[str, float]


class Step(NamedTuple):
    """A constant load, in pods' worth of images, and what it led to."""

    pods: float
    load: Result
    moments: Sequence[Moment]

    @property
    def changes(self) -> list[int]:
        """Every change of the wanted number of pods."""
        wanted = [moment.wanted for moment in self.moments]
        return [new - old for old, new in itertools.pairwise(wanted) if new != old]

    @property
    def flaps(self) -> int:
        """How often the number of pods grew after it had shrunk, although the load was constant."""
        return sum(old < 0 < new for old, new in itertools.pairwise(self.changes))

    def rejected(self, after_s: float = 0) -> int:
        """Answers 503 to requests that were due this many seconds after the step or later."""
        answers = self.load.answers
        return sum(each.status == 503 and each.at - each.seconds >= after_s for each in answers)

    def row(self, second_scrape_s: float) -> str:
        """The step as a line of the table."""
        wanted = [moment.wanted for moment in self.moments]
        good = len(self.load.seconds())
        half = Result(answers=[a for a in self.load.answers if a.at > self.load.elapsed / 2])
        return row(
            f"{self.pods:g}",
            f"{self.load.offered:.0f}",
            max(wanted),
            wanted[-1],
            len(self.changes),
            self.flaps,
            f"{good:,}",
            self.rejected(),
            self.rejected(second_scrape_s),
            others(self.load, 200, 503),
            f"{self.load.quantile(0.99):.0f}",
            f"{half.quantile(0.99):.0f}",
        )
