"""How long each stage of an analysis took. Times are seconds on `time.monotonic`'s clock."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

# In the order in which an image passes them. `queue` is the wait for a worker.
Stage = Literal[
    "read", "fetch", "queue", "decode", "detect", "align", "classify", "embed", "serialise"
]


class Sample(NamedTuple):
    """One pass of a request, or of one of its images, through a stage."""

    stage: Stage
    started: float
    ended: float


class Batch(NamedTuple):
    """One batch that a network ran: rows, when the oldest row was queued, start and end."""

    network: str
    rows: int
    queued: float
    started: float
    ended: float


@contextmanager
def timed(stage: Stage, samples: Iterable[list[Sample]]) -> Iterator[None]:
    """Add the duration of the block to each list."""
    started = time.monotonic()
    try:
        yield
    finally:
        sample = Sample(stage, started, time.monotonic())
        for each in samples:
            each.append(sample)
