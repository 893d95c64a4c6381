"""Admission: how many images are under way, how many of one key, and how many bytes are held."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from analysis.errors import OverloadedError
from service.errors import TooManyRequestsError
from service.http.pace import Pace

# The estimate is inexact, so add 25 %: a request that just misses its deadline wastes as much work
# as one that is served.
MARGIN = 1.25


class Limits(NamedTuple):
    """What all requests may take together; `images_per_key` 0 is any number."""

    images: int
    images_per_key: int
    bytes: int


class Admission:
    """Admits requests within limits. A request without another beside it is always admitted.

    `images` are under way: their request was read, and not all of its images are done. `bytes` are
    held until answers have left. Deadlines are on the clock.
    """

    def __init__(
        self, limits: Limits, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.images = self.bytes = 0
        self.by_key: Counter[str | None] = Counter()
        self.pace = Pace(workers, clock)
        self._limits = limits
        self._clock = clock

    @contextmanager
    def enter(self, key: str | None, deadline: float) -> Iterator["Admitted"]:
        """Admit a request before its body is read. It counts as one image of its key."""
        admitted = Admitted(self, key, deadline)
        self.require(admitted, images=1)
        admitted.count(of_key=1)
        try:
            yield admitted
        finally:
            admitted.count()
            self.bytes -= admitted.bytes

    def require(self, asking: "Admitted", *, images: int = 0, size: int = 0) -> None:
        """Refuse a request whose images or `size` more bytes would exceed a limit.

        Raises:
            TooManyRequestsError: the key would have too many images under way.
            OverloadedError: all requests together would have too many images or hold too many
                bytes, or the deadline would pass first.
        """
        limits = self._limits
        of_key = self.by_key[asking.key] - asking.of_key if asking.key is not None else 0
        if images and of_key and 0 < limits.images_per_key < of_key + images:
            raise TooManyRequestsError(
                f"this key has {of_key} images under way and may have {limits.images_per_key}; "
                "wait for their answers, then send the request again"
            )
        others = self.images - asking.images
        if images and others and others + images > limits.images:
            raise OverloadedError("too many images are under way; send the request again later")
        wait = others * self.pace.seconds
        if images and others and self._clock() + MARGIN * wait > asking.deadline:
            raise OverloadedError(
                f"the answer would take about {wait:.1f} s, longer than the request's deadline; "
                "send the request again later"
            )
        if self.bytes > asking.bytes and self.bytes + size > limits.bytes:
            raise OverloadedError("too much is being sent at once; send the request again later")


@dataclass(slots=True, eq=False)
class Admitted:
    """What one request takes up; `take` and `hold` raise what `Admission.require` does."""

    admission: Admission
    key: str | None
    deadline: float
    of_key: int = 0
    images: int = 0
    bytes: int = 0

    def take(self, images: int) -> None:
        """Count the images of the request, whose body has been read."""
        self.admission.require(self, images=images)
        self.count(images, of_key=images)

    def hold(self, size: int) -> None:
        """Count `size` bytes more, until the answer has left."""
        self.admission.require(self, size=size)
        self.admission.bytes += size
        self.bytes += size

    def finish(self) -> None:
        """Free the places of the images: all are done. The key's are free when the answer left."""
        self.count(of_key=self.of_key)

    def count(self, images: int = 0, *, of_key: int = 0) -> None:
        """Count so many images instead of what was counted before."""
        admission = self.admission
        admission.images += images - self.images
        admission.by_key[self.key] += of_key - self.of_key
        if not admission.by_key[self.key]:
            del admission.by_key[self.key]  # a revoked key must not stay in memory
        self.images, self.of_key = images, of_key
