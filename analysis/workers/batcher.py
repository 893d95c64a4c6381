"""The queue in front of one network of a device: work-conserving, first come first served.

A device has few slots, which all of its networks share: one batch is computed while the next is
copied. A free slot takes what waits at once, and nothing waits for a window; while all slots are
taken the queue grows into the next batch.
"""

import threading
import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from analysis.workers.channel import Channel
from engines.types import Array


@dataclass(slots=True, eq=False)
class Request:
    """Rows of one worker, in its memory, and the channel that waits for the outputs."""

    rows: Array
    channel: Channel
    queued: float = field(default_factory=time.monotonic)


class Batcher:
    """Requests of all workers for one network; `largest` is the batch in rows that is worth it."""

    def __init__(self, largest: int, slots: threading.Semaphore) -> None:
        self._largest, self._slots = largest, slots
        self._waiting = SimpleQueue[Request]()
        # Of the streams of one network only one waits for a slot: two would split the batch.
        self._turn = threading.Lock()

    def put(self, request: Request) -> None:
        """Queue a request. Called by the thread that reads the workers' messages."""
        self._waiting.put(request)

    def take(self) -> list[Request]:
        """Wait for requests and a slot; take what waits, up to the largest batch or just beyond.

        Call `done` when the batch has run or failed.
        """
        with self._turn:
            taken = [self._waiting.get()]
            self._slots.acquire()
            rows = len(taken[0].rows)
            while rows < self._largest:
                try:
                    taken.append(self._waiting.get_nowait())
                except Empty:
                    break
                rows += len(taken[-1].rows)
            return taken

    def again(self, failed: list[Request]) -> list[Request]:
        """Wait for a slot and take one of the requests of a batch that failed."""
        self._slots.acquire()
        return [failed.pop()]

    def done(self) -> None:
        """Free the slot of a batch."""
        self._slots.release()
