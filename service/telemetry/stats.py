"""Statistics of one request: written by its stages, read by the log, the metrics and the traces.

They travel in a context variable, so that a stage needs no argument for them. Outside a request,
e.g. in `emotions predict`, nothing is recorded. Times are seconds on the clock of
`time.monotonic`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from analysis.timing import Sample, Stage


@dataclass(slots=True, eq=False)
class RequestStats:
    """The cost of one request.

    `received` counts the bytes of the body. `key` is the name of the API key. `code` is the code of
    the problem in the answer. `span` is the OpenTelemetry span while the request is traced.
    """

    samples: list[Sample] = field(default_factory=list)
    received: int = 0
    images: int = 0
    faces: int = 0
    key: str | None = None
    code: str | None = None
    span: Any = None

    def longest(self) -> dict[Stage, float]:
        """Return the longest pass through each stage, in milliseconds."""
        found: dict[Stage, float] = {}
        for stage, started, ended in self.samples:
            found[stage] = max(found.get(stage, 0.0), round((ended - started) * 1000, 2))
        return found


_current: ContextVar[RequestStats | None] = ContextVar("stats", default=None)


def current_stats() -> RequestStats | None:
    """Return the statistics of the request that this code runs for."""
    return _current.get()


@contextmanager
def collecting() -> Iterator[RequestStats]:
    """Collect statistics in the block, and in the tasks that it starts."""
    stats = RequestStats()
    token = _current.set(stats)
    try:
        yield stats
    finally:
        _current.reset(token)


@contextmanager
def timed(stage: Stage) -> Iterator[None]:
    """Record the block as a pass through a stage."""
    stats, started = current_stats(), time.monotonic()
    try:
        yield
    finally:
        if stats is not None:
            stats.samples.append(Sample(stage, started, time.monotonic()))
