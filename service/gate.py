"""How many images are let in, and how many of them are worked on at once."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from service.errors import Overloaded
from service.record import timed

# How much of the difference between what was expected and what came changes the expectation.
LEARNING = 0.05
# A wait is expected with some error; who would be answered just too late has cost all the same.
MARGIN = 1.25


class Gate:
    """Places for images, from being let in to their answer, and to be worked on for a few of them.

    The others wait as they came, not decoded: decoding ahead of the networks takes cores from what
    has begun, and memory. Who would wait longer than the deadline is refused at once instead.
    """

    def __init__(
        self, capacity: int, at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.admitted = 0
        self._capacity = capacity
        self._free = asyncio.Semaphore(at_once)
        self._clock = clock
        self._waiting = 0
        self._pace = 0.0
        self._last: float | None = None

    def check(self, images: int, deadline: float = math.inf) -> None:
        """See whether so many would be let in; who is alone always is.

        Raises:
            Overloaded: they would wait for places, or for longer than until `deadline`.
        """
        if not self.admitted:
            return
        if self.admitted + images > self._capacity:
            raise Overloaded("too many images are under way; send the request again later")
        wait = self.admitted * self._pace
        if self._clock() + MARGIN * wait > deadline:
            raise Overloaded(
                f"the answer would take about {wait:.1f} s, longer than the request's deadline; "
                "send the request again later"
            )

    @contextmanager
    def admit(self, images: int, deadline: float = math.inf) -> Iterator[None]:
        """Take a place for each image until the block ends; see `check`."""
        self.check(images, deadline)
        self.admitted += images
        try:
            yield
        finally:
            self.admitted -= images

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Wait for one's turn, first come first served, and have it until the block ends."""
        self._waiting += 1
        try:
            with timed("queue"):
                await self._free.acquire()
        finally:
            self._waiting -= 1
        started = self._clock()
        try:
            yield
        finally:
            self._learn(self._clock() - started)
            self._free.release()

    def _learn(self, took: float) -> None:
        """Seconds an image: between two ends while others wait; no more than one takes alone."""
        now = self._clock()
        if not self._waiting:
            self._pace, self._last = min(self._pace, took), None
            return
        if self._last is not None:
            self._pace += LEARNING * (now - self._last - self._pace)
        self._last = now
