"""The queue in front of one network of a device, first in, first out, without a batching window.

A device has a few slots that all of its networks share: one batch is computed while the next is
copied. A free slot takes all waiting requests at once, without waiting for more. While no slot is
free, requests collect for the next batch.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import MappingProxyType

import msgspec

from analysis.workers.channel import Channel
from analysis.workers.remote import Reply
from engines.types import Array

log = logging.getLogger("emotions.device")


@dataclass(slots=True, eq=False)
class QueuedRows:
    """Rows (N, ...) of one worker, in its memory, and the channel for the outputs.

    size: what they count for in a batch, by default their number; queued: seconds on
    `time.monotonic`'s clock.
    """

    rows: Array
    channel: Channel
    size: int = 0
    queued: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Set the default size."""
        self.size = self.size or len(self.rows)

    def reply(self, reply: Reply, outputs: Mapping[str, Array] = MappingProxyType({})) -> None:
        """Send the outputs, or the error, to the worker.

        Without memory or descriptors for it, the connection is closed: the worker would wait for
        ever. It connects again.
        """
        try:
            self.channel.send(msgspec.msgpack.encode(reply), outputs)
        except ConnectionError:  # the worker has ended
            return
        except OSError as error:
            log.error("a worker gets no answer: %s", error)
            self.channel.hang_up()


class Batcher:
    """Merges the requests of all workers for one network into batches.

    The sizes of the requests in a batch add up to about `largest`.
    """

    def __init__(self, largest: int, slots: threading.Semaphore) -> None:
        self._largest, self._slots = largest, slots
        self._waiting = SimpleQueue[QueuedRows]()
        # Only one thread of a network at a time waits for a slot: two would split the batch.
        self._turn = threading.Lock()

    def put(self, request: QueuedRows) -> None:
        """Queue a request. Called by the thread that reads the workers' messages."""
        self._waiting.put(request)

    def take(self) -> list[QueuedRows]:
        """Wait for requests and a slot; return the requests of one batch.

        Requests are not split: the last one may exceed the largest batch. Call `done` when the
        batch has run or failed.
        """
        with self._turn:
            taken = [self._waiting.get()]
            self._slots.acquire()
            size = taken[0].size
            while size < self._largest:
                try:
                    taken.append(self._waiting.get_nowait())
                except Empty:
                    break
                size += taken[-1].size
            return taken

    def take_failed(self, failed: list[QueuedRows]) -> list[QueuedRows]:
        """Wait for a slot; remove one of the requests of a failed batch and return it alone."""
        self._slots.acquire()
        return [failed.pop()]

    def done(self) -> None:
        """Free the slot of a batch."""
        self._slots.release()
