"""Batches side by side, but what may have killed the worker alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Quarantine:
    """Lets any number of batches in together, or one suspect with nothing beside it.

    When a worker dies, any of the batches in it may be why. Each of their items is run again with
    nothing else in the worker: if it dies again, it is known which one it was, and no item fails
    for having been beside it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting = 0
        self._alone = False

    @contextmanager
    def entered(self, alone: bool) -> Iterator[None]:
        """Be inside, alone or together with others; suspects come first."""
        with self._changed:
            self._waiting += alone
            self._changed.wait_for(lambda: self._free(alone))
            self._waiting -= alone
            self._inside += 1
            self._alone = alone
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._alone = False
                self._changed.notify_all()

    def _free(self, alone: bool) -> bool:
        if alone:
            return self._inside == 0
        return not self._alone and self._waiting == 0
