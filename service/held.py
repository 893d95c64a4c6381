"""How many bytes of requests are held at once: bodies, and what was fetched for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class Held:
    """Bytes of all requests, from the first one read until their answers have left."""

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        self._limit = limit

    @contextmanager
    def hold(self) -> Iterator["Hold"]:
        """What one request holds; it holds nothing any more when the block ends."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.bytes -= hold.bytes

    def check(self, hold: "Hold", size: int) -> None:
        """See whether `size` bytes more have room; a request that is alone is never refused.

        Raises:
            Overloaded: all requests together would hold too much.
        """
        others = self.bytes - hold.bytes
        if others and self.bytes + size > self._limit:
            raise Overloaded("too much is being sent at once; send the request again later")


class Hold:
    """What one request holds."""

    def __init__(self, all_of_them: Held) -> None:
        self.bytes = 0
        self._all = all_of_them

    def take(self, size: int) -> None:
        """Hold `size` bytes more; errors as `Held.check`."""
        self._all.check(self, size)
        self.bytes += size
        self._all.bytes += size
