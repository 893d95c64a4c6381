"""The GPU memory that the networks of one process may take."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from engines.errors import GpuMemoryError

MIB = 1 << 20
# Memory that stays free for needs whose sizes are not known: kernels, which CUDA loads at their
# first use, CUDA graphs, and the data of TensorRT's execution contexts.
RESERVE = 256 * MIB
ADVICE = "end other programs on the GPU, or use smaller models or fp16"


class Turn(threading.local):
    """Each thread's own callback `began`: `Budget.reserve` calls it after it waited for others.

    A device process records a heartbeat there, because the wait is not part of the thread's step.
    """

    def __init__(self) -> None:
        self.began: Callable[[], None] = lambda: None


turn = Turn()


class Budget:
    """GPU memory in bytes, which all threads of a process share; a process uses one GPU.

    `limit` is the maximum for all of its networks together; by default there is none.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def reserve(self, needs: Sequence[int], free: Callable[[], int]) -> Iterator[int]:
        """Reserve the first of the falling `needs` that fits; the block allocates it.

        Yield its index. Other threads wait for the end of the block, since `free`, the free memory
        of the GPU, would include what the block has not yet allocated. A block that raises reserves
        nothing; after any other block, `release` must follow.

        Raises:
            GpuMemoryError: not even the last need fits.
        """
        with self._lock:
            turn.began()
            chosen = self._first_that_fits(needs, free())
            yield chosen
            self.taken += needs[chosen]

    def release(self, size: int) -> None:
        """Release a reserved size, after the memory is freed."""
        with self._lock:
            self.taken -= size

    def _first_that_fits(self, needs: Sequence[int], free: int) -> int:
        room = free - RESERVE
        if self._limit is not None:
            room = min(room, self._limit - self.taken)
        for index, need in enumerate(needs):
            if need <= room:
                return index
        raise GpuMemoryError(self._refusal(needs[-1], free))

    def _refusal(self, need: int, free: int) -> str:
        text = (
            f"{mib(need)} MiB of GPU memory are needed; {mib(free)} MiB are free, of which "
            f"{mib(RESERVE)} MiB stay free for CUDA"
        )
        if self._limit is None or free - RESERVE < need:
            return f"{text}; limit another service with EMOTIONS_GPU_MEMORY_BYTES, {ADVICE}"
        left = self._limit - self.taken
        return (
            f"{text}; {mib(left)} MiB are left of the budget of {mib(self._limit)} MiB; raise "
            "EMOTIONS_GPU_MEMORY_BYTES, or use smaller models or fp16"
        )


def mib(size: int) -> str:
    """Format bytes as a number of MiB with one decimal place."""
    return f"{size / MIB:.1f}"
