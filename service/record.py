"""What a request and a batch cost: written by each stage, read by log, metrics and traces.

A request's record travels in a context variable, so that a stage needs no argument for it; where
nobody keeps one (`emotions predict`), nothing is written. Times are on `time.monotonic`'s clock,
in seconds.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")
# In the order in which an image passes them. `queue` is each wait for a thread or for a batch.
Stage = Literal[
    "read", "fetch", "queue", "decode", "detect", "align", "classify", "embed", "serialise"
]


class Sample(NamedTuple):
    """One pass of a request, or of one of its images, through a stage."""

    stage: Stage
    started: float
    ended: float


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


class Batch(NamedTuple):
    """A batch that ran, with the time since which the first item of each request waited."""

    items: int
    waiting: dict[Record, float]
    queued: float
    started: float
    ended: float


class Observer:
    """Is told what a batcher does, in the batcher's threads; this one does nothing with it."""

    def ran(self, batch: Batch) -> None:
        """Take note of a batch that gave results."""

    def failed(self) -> None:
        """Take note of a runner that raised or could not be opened."""

    def dropped(self, reason: Literal["late", "gone"], items: int) -> None:
        """Take note of items that left the queue past their deadline or without a caller."""


class Noted(Observer):
    """Writes batches into the records of the requests in them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def ran(self, batch: Batch) -> None:
        for record, queued in batch.waiting.items():
            record.add("queue", queued, batch.started)
            record.add(self._stage, batch.started, batch.ended)


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


def in_thread(stage: Stage, work: Callable[[], T]) -> Callable[[], T]:
    """Make `work`, for another thread, note its wait for that thread and its own time."""
    record, queued = current(), time.monotonic()
    if record is None:
        return work

    def noted() -> T:
        started = time.monotonic()
        record.add("queue", queued, started)
        try:
            return work()
        finally:
            record.add(stage, started, time.monotonic())

    return noted
