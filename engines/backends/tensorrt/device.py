"""A GPU's primary context, in the thread that uses it."""

import contextlib
import ctypes
from typing import Any

from engines.backends.tensorrt.cuda import DEVICE, Cuda

# A thread that waits for the GPU sleeps. By default it spins, which takes a core from the workers.
SCHED_BLOCKING_SYNC = 4


class Device:
    """A GPU with its primary context current in the calling thread; the same thread closes it.

    All Devices of a process share the primary context.
    """

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        # A reset may have cleared the flags. If CUDA rejects these, the context keeps its flags.
        cuda.library.cuDevicePrimaryCtxSetFlags_v2(DEVICE, SCHED_BLOCKING_SYNC)
        self._context: Any
        with cuda.typed():
            self._context = cuda.driver.Device(DEVICE).retain_primary_context()
            self._context.push()

    def probe(self) -> None:
        """Check that the context works, by an allocation.

        Raises:
            RunnerError: it does not.
        """
        with self.cuda.typed():
            self.cuda.driver.mem_alloc(1).free()

    def free(self) -> int:
        """Bytes of the GPU's memory that no process uses."""
        with self.cuda.typed():
            free, _ = self.cuda.driver.mem_get_info()
        return int(free)

    def used(self) -> int:
        """Bytes of the GPU's memory in use by all processes."""
        with self.cuda.typed():
            free, total = self.cuda.driver.mem_get_info()
        return int(total - free)

    def close(self) -> None:
        """Release the context; never raises, since a broken context cannot be left properly."""
        with contextlib.suppress(self.cuda.driver.Error):
            self._context.pop()
        with contextlib.suppress(self.cuda.driver.Error):
            self._context.detach()
        # pycuda makes a primary context current to release it, and leaves it current.
        self.cuda.library.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
