"""What a request cost: written by each stage, read by log, metrics and traces.

A request's record travels in a context variable, so that a stage needs no argument for it; where
nobody keeps one (`emotions predict`), nothing is written. Times are on `time.monotonic`'s clock,
in seconds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from analysis.timing import Sample, Stage


@dataclass(slots=True, eq=False)
class Record:
    """One request: its samples, and what it brought and got."""

    samples: list[Sample] = field(default_factory=list)
    received: int = 0
    images: int = 0
    faces: int = 0
    key: str | None = None
    code: str | None = None
    span: Any = None  # OpenTelemetry's, of a request that is traced and has not ended

    def add(self, stage: Stage, started: float, ended: float) -> None:
        """Note a pass through a stage; may be called from any thread."""
        self.samples.append(Sample(stage, started, ended))

    def longest(self) -> dict[Stage, float]:
        """The longest pass through each stage, in milliseconds."""
        found: dict[Stage, float] = {}
        for stage, started, ended in self.samples:
            found[stage] = max(found.get(stage, 0.0), round((ended - started) * 1000, 2))
        return found


_current: ContextVar[Record | None] = ContextVar("record", default=None)


def current() -> Record | None:
    """The record of the request that this code works for."""
    return _current.get()


@contextmanager
def recording() -> Iterator[Record]:
    """Keep a record of what is done in the block, and in the tasks that it starts."""
    record = Record()
    token = _current.set(record)
    try:
        yield record
    finally:
        _current.reset(token)


@contextmanager
def timed(stage: Stage) -> Iterator[None]:
    """Note the block as a pass through a stage."""
    record, started = current(), time.monotonic()
    try:
        yield
    finally:
        if record is not None:
            record.add(stage, started, time.monotonic())
