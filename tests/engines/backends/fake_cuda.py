"""pycuda on host memory, with what the TensorRT backend uses.

Work is queued and runs when its stream is synchronised, so results do not exist before that.
Every call needs a context pushed by the calling thread. Memory is limited, and any call can fail.
"""

import itertools
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.memory import PAGE, rounded_up
from engines.gpus import Gpu
from tests.engines.backends.fake_gpu import (
    FAILED,
    OUT_OF_MEMORY,
    Error,
    Faults,
    FullError,
    Memory,
    raise_for,
)
from tests.engines.backends.fake_libcuda import Library

Work = Callable[[], None]
L4 = Gpu("GPU-l4", "NVIDIA L4", "8.9", 24 << 30)


class Machine:
    """A process on a GPU, what it has allocated there, and the calls that it made."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.gpu = memory or Memory(L4.memory)
        self.faults = Faults()
        self.dead: set[int] = set()
        self.events: list[tuple[str, int]] = []
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.weights: Counter[int] = Counter()
        self.pinned: list[Pinned] = []
        self.streams: weakref.WeakValueDictionary[int, FakeStream] = weakref.WeakValueDictionary()
        self.graphs: dict[int, list[Work]] = {}
        self.capturable = True
        self.astray = False
        self.blocking = False
        self.resets = 0
        self._thread = threading.local()
        self._numbers = itertools.count(1000)

    @property
    def stack(self) -> "list[Context]":
        found: list[Context] = self._thread.__dict__.setdefault("stack", [])
        return found

    @property
    def empty(self) -> bool:
        """Whether all was freed, in a context, and this thread has none left."""
        left = (self.astray, self.memory, self.pinned, self.graphs, dict(self.streams), self.stack)
        return not any(left) and not self.weights.total()

    def fails(self, event: str, number: int = 0) -> int:
        """Record a call, which needs a context of this thread; return its code, 0 if it works."""
        assert self.stack, f"{event} in a thread without a context"
        if self.stack[-1].index in self.dead:
            return 700
        if self.faults.hit(event):
            return OUT_OF_MEMORY if self.faults.out_of_memory else FAILED
        self.events.append((event, number))
        return 0

    def enter(self, event: str, number: int = 0) -> None:
        """Record a call of pycuda, which raises its errors."""
        raise_for(self.fails(event, number), event)

    def at(self, address: int) -> NDArray[np.uint8]:
        """Memory from an address to the end of its allocation; a reset frees all of it."""
        for start, values in self.memory.items():
            if start <= address < start + len(values):
                return values[address - start :]
        raise Error("invalid argument")

    def allocate(self, size: int) -> "Allocation":
        pages = rounded_up(size, PAGE)
        raise_for(0 if self.gpu.take(pages) else OUT_OF_MEMORY, "allocate")
        return Allocation(self, size, pages)

    def load(self, size: int) -> Callable[[], None] | None:
        """Take memory for weights; return the function that frees it, or None if it is full."""
        pages = rounded_up(size, PAGE)
        if not self.gpu.take(pages):
            return None
        self.weights[pages] += 1
        lives = self.resets

        def free() -> None:
            self.astray |= not self.stack
            if lives == self.resets:
                self.weights[pages] -= 1
                self.gpu.give(pages)

        return free

    def reset(self) -> None:
        """Destroy the context and all that is allocated in it."""
        self.dead.clear()
        self.gpu.give(sum(rounded_up(len(values), PAGE) for values in self.memory.values()))
        self.gpu.give(sum(pages * count for pages, count in self.weights.items()))
        self.memory.clear()
        self.weights.clear()
        self.pinned.clear()
        self.blocking = False
        self.resets += 1

    def new(self) -> int:
        """A unique number."""
        return next(self._numbers)

    def cuda(self) -> Cuda:
        """What the code under test gets."""
        return Cuda(Driver(self), Library(self))


class Context:
    def __init__(self, machine: Machine, index: int) -> None:
        self._machine, self.index = machine, index

    def push(self) -> None:
        self._machine.stack.append(self)

    def pop(self) -> None:
        self._machine.stack.pop()

    def detach(self) -> None:
        """As in pycuda, a primary context that is not current becomes current."""
        assert self not in self._machine.stack
        leaked = [pinned for pinned in self._machine.pinned if pinned.context is self]
        assert self.index in self._machine.dead or not leaked
        self._machine.stack.append(self)


class FakeStream:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.handle = machine.new()
        machine.streams[self.handle] = self
        self.queue: list[Work] = []
        self.captured: list[Work] | None = None

    def add(self, work: Work) -> None:
        (self.queue if self.captured is None else self.captured).append(work)

    def synchronize(self) -> None:
        if code := self._machine.fails("synchronize", self.handle):
            self.queue.clear()
        raise_for(code, "synchronize")
        assert self.captured is None
        queued, self.queue = self.queue, []
        for work in queued:
            work()


class Allocation:
    def __init__(self, machine: Machine, size: int, pages: int) -> None:
        self._machine, self._pages = machine, pages
        self._values = np.full(size, 0xA5, np.uint8)
        self._address = self._values.ctypes.data
        machine.memory[self._address] = self._values

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        """As in CUDA, an error may come from earlier work; the memory is freed in any case."""
        code = self._machine.fails("free")
        self._machine.at(self._address)
        del self._machine.memory[self._address]
        self._machine.gpu.give(self._pages)
        raise_for(code, "free")


class Pinned:
    """The `base` of a pinned array."""

    def __init__(self, machine: Machine, values: NDArray[Any]) -> None:
        self._machine, self._values = machine, values
        self.__array_interface__ = values.__array_interface__
        self.context = machine.stack[-1]
        machine.pinned.append(self)

    def free(self) -> None:
        code = self._machine.fails("unpin")
        if self not in self._machine.pinned:
            raise Error("invalid argument")
        self._machine.pinned.remove(self)
        raise_for(code, "unpin")


class Primary:
    """`pycuda.driver.Device`; a subclass names the machine."""

    machine: Machine

    def __init__(self, index: int) -> None:
        self._index = index

    def retain_primary_context(self) -> Context:
        if self.machine.faults.hit("retain"):
            out_of_memory = self.machine.faults.out_of_memory
            raise_for(OUT_OF_MEMORY if out_of_memory else FAILED, "retain")
        return Context(self.machine, self._index)


class Driver:
    """`pycuda.driver`."""

    Error = Error
    MemoryError = FullError

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.Device = type("Device", (Primary,), {"machine": machine})

    def Stream(self, flags: int = 0) -> FakeStream:  # noqa: N802
        assert flags == 1, "a stream that waits for the default stream"
        self._machine.enter("stream")
        return FakeStream(self._machine)

    def mem_alloc(self, size: int) -> Allocation:
        self._machine.enter("allocate", size)
        return self._machine.allocate(size)

    def mem_get_info(self) -> tuple[int, int]:
        self._machine.enter("info")
        gpu = self._machine.gpu
        return gpu.capacity - gpu.used, gpu.capacity

    def pagelocked_empty(self, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        self._machine.enter("pin")
        return np.asarray(Pinned(self._machine, np.empty(shape, dtype)))

    def memcpy_htod_async(self, dest: int, src: NDArray[Any], stream: FakeStream) -> None:
        self._machine.enter("upload", stream.handle)
        self._require_pinned(src)
        target = self._machine.at(dest)
        stream.add(lambda: target.__setitem__(slice(src.nbytes), src.reshape(-1).view(np.uint8)))

    def memcpy_dtoh_async(self, dest: NDArray[Any], src: int, stream: FakeStream) -> None:
        self._machine.enter("download", dest.nbytes)
        self._require_pinned(dest)
        source = self._machine.at(src)
        stream.add(
            lambda: dest.reshape(-1).view(np.uint8).__setitem__(slice(None), source[: dest.nbytes])
        )

    def _require_pinned(self, array: NDArray[Any]) -> None:
        """A copy of pageable memory would wait for the GPU."""
        pinned = [np.asarray(each) for each in self._machine.pinned]
        assert any(np.shares_memory(array, each) for each in pinned) or self._machine.resets
