"""Heartbeats: each process records when its steps begin; the service finds steps that hang."""

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# Threads per process that can have heartbeats.
THREADS = 64
SIZE = THREADS * 8
# Seconds that a step may take longer if it opens networks: loading a plan may compile it for the
# GPU, and the first batch may finish the compilation.
OPEN_LIMIT_S = 300.0


class Heartbeats:
    """Times at which the threads of a process began their current steps, in shared memory.

    Seconds on `time.monotonic`'s clock, which all processes share; 0 if a thread waits for work.
    While a thread opens networks, its times are `OPEN_LIMIT_S` in the future.
    """

    def __init__(self, descriptor: int) -> None:
        """Map the memory of a descriptor from `allocate`."""
        self._times = np.frombuffer(mmap.mmap(descriptor, SIZE), np.float64)
        self._extra = np.zeros(THREADS)

    def starting(self) -> None:
        """Record for a process that is about to start that it will open networks."""
        self._times[0] = time.monotonic() + OPEN_LIMIT_S

    def beat(self, thread: int = 0) -> None:
        """Record that a step begins."""
        self._times[thread] = time.monotonic() + self._extra[thread]

    @contextmanager
    def opening(self, thread: int = 0) -> Iterator[None]:
        """Let each step of the block take `OPEN_LIMIT_S` longer, because it opens networks."""
        self._extra[thread] = OPEN_LIMIT_S
        self.beat(thread)
        try:
            yield
        finally:
            self._extra[thread] = 0
            self.beat(thread)

    def rest(self, thread: int = 0) -> None:
        """Record that a thread waits for work."""
        self._times[thread] = 0.0

    def oldest(self) -> float:
        """Return when the longest current step began; infinity if all threads wait."""
        times = self._times.copy()  # the process writes meanwhile
        return float(np.where(times > 0, times, np.inf).min())


def allocate() -> int:
    """Allocate the memory of one process; return its descriptor, which the caller closes."""
    descriptor = os.memfd_create("emotions-heartbeats")
    os.ftruncate(descriptor, SIZE)
    return descriptor
