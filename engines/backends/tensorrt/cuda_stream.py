"""CUDA streams and the graphs captured from them."""

import ctypes
from collections.abc import Callable
from typing import Any, Protocol

from engines.backends.tensorrt.cuda import Cuda
from engines.errors import RunnerError
from engines.types import Array

CAPTURE_THREAD_LOCAL = 1


class Memory(Protocol):
    """Device memory: `int()` is its address."""

    def __int__(self) -> int: ...

    def free(self) -> None:
        """Free it."""


class CudaGraph:
    """Work captured once, launched with one call."""

    def __init__(self, cuda: Cuda, captured: ctypes.c_void_p) -> None:
        self._cuda = cuda
        self._executable = ctypes.c_void_p()
        flags = ctypes.c_ulonglong(0)
        try:
            cuda.call(
                "cuGraphInstantiateWithFlags", ctypes.byref(self._executable), captured, flags
            )
        finally:
            cuda.library.cuGraphDestroy(captured)

    def launch(self, stream: "CudaStream") -> None:
        """Queue the work on a stream."""
        self._cuda.call("cuGraphLaunch", self._executable, ctypes.c_void_p(stream.handle))

    def close(self) -> None:
        """Free it; errors are ignored, since its context may be gone."""
        self._cuda.library.cuGraphExecDestroy(self._executable)


class CudaStream:
    """A queue of work on the GPU; it runs in order, and concurrently with other streams."""

    def __init__(self, cuda: Cuda, stream: Any) -> None:
        self._cuda, self._stream = cuda, stream
        self.handle = int(stream.handle)

    def upload(self, target: Memory, source: Array) -> None:
        """Queue a copy from pinned memory; do not change `source` before `synchronize`."""
        with self._cuda.typed():
            self._cuda.driver.memcpy_htod_async(target, source, self._stream)

    def download(self, target: Array, source: Memory) -> None:
        """Queue a copy into pinned memory; `target` is filled after `synchronize`."""
        with self._cuda.typed():
            self._cuda.driver.memcpy_dtoh_async(target, source, self._stream)

    def synchronize(self) -> None:
        """Wait for everything queued; other Python threads run meanwhile."""
        with self._cuda.typed():
            self._stream.synchronize()

    def capture(self, work: Callable[[], None]) -> CudaGraph:
        """Record what `work` queues on this stream instead of running it.

        Raises:
            RunnerError: it cannot be captured; the stream is unchanged.
        """
        captured = ctypes.c_void_p()
        handle = ctypes.c_void_p(self.handle)
        self._cuda.call("cuStreamBeginCapture_v2", handle, CAPTURE_THREAD_LOCAL)
        try:
            work()
        except RunnerError:
            self._cuda.library.cuStreamEndCapture(handle, ctypes.byref(captured))
            if captured.value:
                self._cuda.library.cuGraphDestroy(captured)
            raise
        self._cuda.call("cuStreamEndCapture", handle, ctypes.byref(captured))
        return CudaGraph(self._cuda, captured)
