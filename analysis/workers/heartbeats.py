"""Heartbeats: each process records when its steps begin; the service finds steps that hang."""

import mmap
import os
import time

import numpy as np

# Threads per process that can have heartbeats.
THREADS = 64
SIZE = THREADS * 8


class Heartbeats:
    """Times at which the threads of a process began their current steps, in shared memory.

    Seconds on `time.monotonic`'s clock, which all processes share; 0 if a thread waits for work.
    """

    def __init__(self, descriptor: int) -> None:
        """Map the memory of a descriptor from `allocate`."""
        self._times = np.frombuffer(mmap.mmap(descriptor, SIZE), np.float64)

    def beat(self, thread: int = 0) -> None:
        """Record that a step begins."""
        self._times[thread] = time.monotonic()

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
