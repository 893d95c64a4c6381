"""pycuda and the CUDA driver library on host memory, with what the TensorRT backend uses.

Work is queued and runs when its stream is synchronised, so results do not exist before that.
Every call needs a context pushed by the calling thread.
"""

import ctypes
import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.backends.tensorrt.cuda import Cuda
from engines.gpus import Gpu

Work = Callable[[], None]
L4 = Gpu("GPU-l4", "NVIDIA L4", "8.9", 24 << 30)


class Error(Exception):
    """pycuda's base class."""


class Machine:
    """A GPU, what is allocated on it, and the calls that it got."""

    def __init__(self) -> None:
        self.dead: set[int] = set()
        self.failures: list[str] = []
        self.events: list[tuple[str, int]] = []
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.pinned: list[Pinned] = []
        self.streams: dict[int, FakeStream] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.capturable = True
        self.resets = 0
        self._thread = threading.local()
        self._numbers = itertools.count(1000)

    @property
    def stack(self) -> "list[Context]":
        found: list[Context] = self._thread.__dict__.setdefault("stack", [])
        return found

    def enter(self, event: str, number: int = 0) -> None:
        """Record a call, which needs a context of this thread on a GPU that works."""
        assert self.stack, f"{event} in a thread without a context"
        if self.stack[-1].index in self.dead:
            raise Error("an illegal memory access was encountered")
        if event in self.failures:
            self.failures.remove(event)
            raise Error(f"{event} failed")
        self.events.append((event, number))

    def at(self, address: int) -> NDArray[np.uint8]:
        """Memory at an address; a reset frees all of it."""
        if address not in self.memory:
            raise Error("invalid argument")
        return self.memory[address]

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
        self._machine.enter("synchronize", self.handle)
        assert self.captured is None
        queued, self.queue = self.queue, []
        for work in queued:
            work()


class Allocation:
    def __init__(self, machine: Machine, size: int) -> None:
        self._machine = machine
        self._values = np.full(size, 0xA5, np.uint8)
        self._address = self._values.ctypes.data
        machine.memory[self._address] = self._values

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        self._machine.enter("free")
        self._machine.at(self._address)
        del self._machine.memory[self._address]


class Pinned:
    """The `base` of a pinned array."""

    def __init__(self, machine: Machine, values: NDArray[Any]) -> None:
        self._machine, self._values = machine, values
        self.__array_interface__ = values.__array_interface__
        self.context = machine.stack[-1]
        machine.pinned.append(self)

    def free(self) -> None:
        self._machine.enter("unpin")
        if self not in self._machine.pinned:
            raise Error("invalid argument")
        self._machine.pinned.remove(self)


class Primary:
    """`pycuda.driver.Device`; a subclass names the machine."""

    machine: Machine

    def __init__(self, index: int) -> None:
        self._index = index

    def retain_primary_context(self) -> Context:
        return Context(self.machine, self._index)


class Driver:
    """`pycuda.driver`."""

    Error = Error

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.Device = type("Device", (Primary,), {"machine": machine})

    def Stream(self, flags: int = 0) -> FakeStream:  # noqa: N802
        assert flags == 1, "a stream that waits for the default stream"
        self._machine.enter("stream")
        return FakeStream(self._machine)

    def mem_alloc(self, size: int) -> Allocation:
        self._machine.enter("allocate", size)
        return Allocation(self._machine, size)

    def mem_get_info(self) -> tuple[int, int]:
        return 6, 10

    def pagelocked_empty(self, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        self._machine.enter("pin")
        return np.asarray(Pinned(self._machine, np.empty(shape, dtype)))

    def memcpy_htod_async(self, dest: Allocation, src: NDArray[Any], stream: FakeStream) -> None:
        self._machine.enter("upload", stream.handle)
        target = self._machine.at(int(dest))
        stream.add(lambda: target.__setitem__(slice(src.nbytes), src.reshape(-1).view(np.uint8)))

    def memcpy_dtoh_async(self, dest: NDArray[Any], src: Allocation, stream: FakeStream) -> None:
        self._machine.enter("download", dest.nbytes)
        source = self._machine.at(int(src))
        stream.add(
            lambda: dest.reshape(-1).view(np.uint8).__setitem__(slice(None), source[: dest.nbytes])
        )


def pointed(pointer: Any) -> ctypes.c_void_p:
    """What `ctypes.byref` refers to."""
    return ctypes.cast(pointer, ctypes.POINTER(ctypes.c_void_p)).contents


class Library:
    """`libcuda.so.1` through ctypes; 0 means that a call succeeded."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def _stream(self, handle: ctypes.c_void_p) -> FakeStream:
        return self._machine.streams[handle.value or 0]

    def _number(self, pointer: Any) -> int:
        """Write a new handle where a pointer points to."""
        number = self._machine.new()
        pointed(pointer).value = number
        return number

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> int:  # noqa: N802
        assert mode == 1
        self._stream(stream).captured = []
        return 0

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:  # noqa: N802
        work, self._stream(stream).captured = self._stream(stream).captured, None
        if not self._machine.capturable or work is None:
            return 901
        self._machine.graphs[self._number(graph)] = work
        return 0

    def cuGraphInstantiateWithFlags(  # noqa: N802
        self, ready: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong
    ) -> int:
        assert flags.value == 0
        self._machine.graphs[self._number(ready)] = self._machine.graphs[graph.value or 0]
        return 0

    def cuGraphLaunch(self, ready: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:  # noqa: N802
        self._machine.enter("launch", stream.value or 0)
        for work in self._machine.graphs[ready.value or 0]:
            self._stream(stream).add(work)
        return 0

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:  # noqa: N802
        del self._machine.graphs[graph.value or 0]
        return 0

    def cuGraphExecDestroy(self, ready: ctypes.c_void_p) -> int:  # noqa: N802
        del self._machine.graphs[ready.value or 0]
        return 0

    def cuCtxPopCurrent_v2(self, context: Any) -> int:  # noqa: N802
        assert pointed(context).value is None
        self._machine.stack.pop()
        return 0

    def cuDevicePrimaryCtxReset_v2(self, index: int) -> int:  # noqa: N802
        self._machine.dead.discard(index)
        self._machine.memory.clear()
        self._machine.pinned.clear()
        self._machine.resets += 1
        return 0
