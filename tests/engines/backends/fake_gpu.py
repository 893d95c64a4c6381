"""What a fake GPU has: memory of a limited size, and calls that fail on command."""

import threading
from collections import Counter

OUT_OF_MEMORY, FAILED = 2, 999
ANY = "any"


class Error(Exception):
    """pycuda's base class."""


class FullError(Error):
    """pycuda's `MemoryError`."""


class Memory:
    """The memory of a GPU in bytes, which several processes (`Machine`s) share."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take whole pages; return False if they are not free."""
        with self._lock:
            if self.used + size > self.capacity:
                return False
            self.used += size
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self.used -= size


class Faults:
    """Which of the next calls fail."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.out_of_memory = False
        self._numbers: tuple[int, ...] = ()
        self._event = ANY
        self._lock = threading.Lock()

    def expect(self, event: str, *numbers: int, out_of_memory: bool = False) -> None:
        """Let the calls of this name (or `ANY`) with these numbers fail, counted from now and 1."""
        self.calls.clear()
        self._event, self._numbers, self.out_of_memory = event, numbers, out_of_memory

    def hit(self, event: str) -> bool:
        """Count a call; return whether it fails."""
        with self._lock:
            self.calls[event] += 1
            self.calls[ANY] += 1
            return self._event in {event, ANY} and self.calls[self._event] in self._numbers


def raise_for(code: int, event: str) -> None:
    """Raise pycuda's error for a code of CUDA."""
    match code:
        case 0:
            return
        case 700:
            raise Error("an illegal memory access was encountered")
        case 2:
            raise FullError(f"{event} failed: out of memory")
        case _:
            raise Error(f"{event} failed")
