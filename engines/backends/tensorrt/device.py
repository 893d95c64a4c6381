"""A GPU's primary context and its memory."""

import contextlib
import ctypes
from typing import Any

from engines.backends.tensorrt.cuda import DEVICE, Cuda
from engines.backends.tensorrt.cuda_stream import CudaStream, Memory
from engines.errors import RunnerError
from engines.types import Array

NON_BLOCKING = 1


class Device:
    """A GPU with its primary context current in the calling thread; the same thread closes it."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        self._pinned: list[Any] = []
        with cuda.typed():
            self._context = cuda.driver.Device(DEVICE).retain_primary_context()
            self._context.push()

    def probe(self) -> None:
        """Check that the context works, by an allocation.

        Raises:
            RunnerError: it does not.
        """
        with self.cuda.typed():
            self.memory(1).free()

    def stream(self) -> CudaStream:
        """Create a stream that does not wait for the default stream."""
        with self.cuda.typed():
            return CudaStream(self.cuda, self.cuda.driver.Stream(NON_BLOCKING))

    def memory(self, size: int) -> Memory:
        """Allocate device memory of `size` bytes, aligned to 256."""
        with self.cuda.typed():
            allocated: Memory = self.cuda.driver.mem_alloc(max(size, 1))
            return allocated

    def pinned(self, shape: tuple[int, ...], dtype: type) -> Array:
        """Allocate pinned host memory, filled with zeros; it is freed by `close`."""
        with self.cuda.typed():
            array: Array = self.cuda.driver.pagelocked_empty(shape, dtype)
        self._pinned.append(array.base)
        array[...] = 0
        return array

    def used(self) -> int:
        """Bytes of the GPU's memory in use by all processes."""
        with self.cuda.typed():
            free, total = self.cuda.driver.mem_get_info()
        return int(total - free)

    def close(self) -> None:
        """Release the context; never raises, since a broken context cannot be left properly."""
        # pycuda can free pinned memory only while its context exists.
        for allocation in self._pinned:
            with contextlib.suppress(self.cuda.driver.Error):
                allocation.free()
        self._pinned.clear()
        with contextlib.suppress(self.cuda.driver.Error):
            self._context.pop()
        with contextlib.suppress(self.cuda.driver.Error):
            self._context.detach()
        # pycuda makes a primary context current to release it, and leaves it current.
        self.cuda.library.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def healthy(cuda: Cuda) -> bool:
    """Whether the GPU's primary context works: after an error in a kernel it does not."""
    try:
        with contextlib.closing(Device(cuda)) as device:
            device.probe()
    except RunnerError:
        return False
    return True
