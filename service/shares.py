"""Each key's share of the service, so that one client cannot starve the others."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import TooManyRequests


class Share:
    """What one request takes of its key's share: at first itself, then its images."""

    def __init__(self, key: str | None, under_way: Counter[str], limit: int) -> None:
        self._key = key
        self._under_way = under_way
        self._limit = limit
        self._taken = 0

    def take(self, images: int) -> None:
        """Count `images` instead of what was counted before.

        A key that has nothing else under way is never refused, however large its request: the
        limits of a single request are others.

        Raises:
            TooManyRequests: with them the key would have more under way than it may.
        """
        if self._key is None or not self._limit:
            return
        others = self._under_way[self._key] - self._taken
        if others and others + images > self._limit:
            raise TooManyRequests(
                f"this key has {others} images under way and may have {self._limit}; wait for "
                "their answers, then send the request again"
            )
        self._count(images)

    def give_back(self) -> None:
        """Count nothing any more."""
        self._count(0)

    def _count(self, images: int) -> None:
        if self._key is None:
            return
        self._under_way[self._key] += images - self._taken
        self._taken = images
        if not self._under_way[self._key]:
            del self._under_way[self._key]  # a key that was taken back must not stay


class Shares:
    """How many images of each key are under way; `limit` 0 lets a key have any number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def take(self, key: str | None) -> Iterator[Share]:
        """Hold a share for a request that has not been read yet; it counts as one image.

        Raises:
            TooManyRequests: the key has as much under way as it may.
        """
        share = Share(key, self._under_way, self._limit)
        share.take(1)
        try:
            yield share
        finally:
            share.give_back()
