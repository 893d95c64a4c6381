"""Seconds per image, learned from the images that the pipeline finishes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from analysis.errors import DeadlineExceededError, UnavailableError

# Weight of the newest interval.
LEARNING = 0.05
# Of images that are given up: their end says nothing of the pace.
GIVEN_UP = (asyncio.CancelledError, DeadlineExceededError, UnavailableError)


class Pace:
    """`seconds` between two images while others queue; 0 until that has happened.

    `workers` is how many images are analyzed at once.
    """

    def __init__(self, workers: int, clock: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._workers = workers
        self._clock = clock
        self._running = 0
        self._last: float | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Learn from the image that is analyzed in the block."""
        self._running += 1
        started = self._clock()
        learn = True
        try:
            yield
        except GIVEN_UP:
            learn = False
            raise
        finally:
            if learn:
                self._learn(started, self._clock())
            self._running -= 1

    def _learn(self, started: float, now: float) -> None:
        if self._running <= self._workers:  # nothing queues: the pace is at most one image's time
            self.seconds, self._last = min(self.seconds, now - started), None
            return
        if self._last is not None:
            self.seconds += LEARNING * (now - self._last - self.seconds)
        self._last = now
