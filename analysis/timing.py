"""When each stage of an analysis ran. Times are seconds on `time.monotonic`'s clock.

A worker sends the samples of an image with its result. The service adds samples of its own stages,
and keeps those of a request together in `service.telemetry.stats`.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

# The stages in the order in which an image passes them. `queue` is the wait for a worker.
Stage = Literal[
    "read", "fetch", "queue", "decode", "detect", "align", "classify", "embed", "serialise"
]


class Sample(NamedTuple):
    """One pass of a request, or of one of its images, through a stage."""

    stage: Stage
    started: float
    ended: float


class Batch(NamedTuple):
    """One batch that a network ran: its rows, when the first was queued, and start and end."""

    network: str
    rows: int
    queued: float
    started: float
    ended: float


@contextmanager
def timed(stage: Stage, samples: Iterable[list[Sample]]) -> Iterator[None]:
    """Append a sample of the block to each list, also if the block raises."""
    started = time.monotonic()
    try:
        yield
    finally:
        sample = Sample(stage, started, time.monotonic())
        for each in samples:
            each.append(sample)
