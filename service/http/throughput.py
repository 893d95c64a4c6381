"""Estimates the throughput of the pipeline from the images that it finishes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from analysis.errors import DeadlineExceededError, UnavailableError

# Weight of the newest interval in the moving average.
SMOOTHING = 0.05
# Errors of images that were dropped: their time does not measure the throughput.
DROPPED = (asyncio.CancelledError, DeadlineExceededError, UnavailableError)


class Throughput:
    """Moving average of the seconds between two finished images while others queue.

    `seconds_per_image` is 0 until images have queued. `workers` images are analyzed at a time.
    """

    def __init__(self, workers: int, clock: Callable[[], float]) -> None:
        self.seconds_per_image = 0.0
        self._workers = workers
        self._clock = clock
        self._running = 0
        self._last: float | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure the image that is analyzed in the block."""
        self._running += 1
        started = self._clock()
        counts = True
        try:
            yield
        except DROPPED:
            counts = False
            raise
        finally:
            if counts:
                self._update(started)
            self._running -= 1

    def _update(self, started: float) -> None:
        now = self._clock()
        if self._running <= self._workers:
            # No image is queued: the seconds per image are at most those of this one.
            self.seconds_per_image = min(self.seconds_per_image, now - started)
            self._last = None
            return
        if self._last is not None:
            interval = now - self._last
            self.seconds_per_image += SMOOTHING * (interval - self.seconds_per_image)
        self._last = now
