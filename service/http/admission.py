"""Admission: limits on the images under way, per API key and in all, and on bytes in memory."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from analysis.errors import OverloadedError
from service.errors import TooManyRequestsError
from service.http.throughput import Throughput

# The estimate is inexact, so add 25 %: a request that just misses its deadline wastes as much work
# as one that is served.
MARGIN = 1.25


class Limits(NamedTuple):
    """Limits on all requests together; 0 `images_per_key` means no limit."""

    images: int
    images_per_key: int
    bytes: int


class Admission:
    """Admits requests within limits. A request is always admitted if there are no others.

    `images` counts images from the end of the body until all images of the request are done.
    `bytes` counts bytes until the answer has been sent. `by_key` counts images per key.
    """

    def __init__(
        self, limits: Limits, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.images = self.bytes = 0
        self.by_key: Counter[str | None] = Counter()
        self.throughput = Throughput(workers, clock)
        self._limits = limits
        self._clock = clock

    @contextmanager
    def admit(self, key: str | None, deadline: float) -> Iterator["Reservation"]:
        """Admit a request before its body is read; it counts as one image of its key.

        `deadline` is on the clock of this object.

        Raises:
            TooManyRequestsError: the key has too many images under way.
            OverloadedError: too many images are under way, or the answer would be too late.
        """
        reservation = Reservation(self, key, deadline)
        self.check_images(reservation, 1)
        reservation.count(of_key=1)
        try:
            yield reservation
        finally:
            reservation.count()
            self.bytes -= reservation.bytes

    def check_images(self, request: "Reservation", images: int) -> None:
        """Reject a request if its images would exceed a limit or miss its deadline."""
        self._check_key(request, images)
        others = self.images - request.images
        if others and others + images > self._limits.images:
            raise OverloadedError("too many images are under way; send the request again later")
        wait = others * self.throughput.seconds_per_image
        if others and self._clock() + MARGIN * wait > request.deadline:
            raise OverloadedError(
                f"the answer would take about {wait:.1f} s, longer than the deadline of the "
                "request; send it again later"
            )
        self.check_bytes(request, 0)

    def _check_key(self, request: "Reservation", images: int) -> None:
        limit = self._limits.images_per_key
        others = self.by_key[request.key] - request.of_key if request.key is not None else 0
        if others and 0 < limit < others + images:
            raise TooManyRequestsError(
                f"this key has {others} images under way, and its limit is {limit}; wait for "
                "their answers, then send the request again"
            )

    def check_bytes(self, request: "Reservation", size: int) -> None:
        """Reject a request if `size` more bytes would exceed the limit."""
        if self.bytes > request.bytes and self.bytes + size > self._limits.bytes:
            raise OverloadedError(
                "the bodies of all requests together are too large; send the request again later"
            )


@dataclass(slots=True, eq=False)
class Reservation:
    """The counts of one admitted request."""

    admission: Admission
    key: str | None
    deadline: float
    of_key: int = 0
    images: int = 0
    bytes: int = 0

    def add_images(self, images: int) -> None:
        """Count the images of the request; errors as `Admission.admit`."""
        self.admission.check_images(self, images)
        self.count(images, of_key=images)

    def add_bytes(self, size: int) -> None:
        """Count `size` more bytes.

        Raises:
            OverloadedError: all requests together have too many bytes in memory.
        """
        self.admission.check_bytes(self, size)
        self.admission.bytes += size
        self.bytes += size

    def release_images(self) -> None:
        """Release the images, which are done; those of the key count until the answer is sent."""
        self.count(of_key=self.of_key)

    def count(self, images: int = 0, *, of_key: int = 0) -> None:
        """Set the counts of this request."""
        admission = self.admission
        admission.images += images - self.images
        admission.by_key[self.key] += of_key - self.of_key
        if not admission.by_key[self.key]:
            del admission.by_key[self.key]  # a revoked key must not stay in memory
        self.images, self.of_key = images, of_key
