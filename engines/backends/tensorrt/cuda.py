"""One NVIDIA GPU behind a handful of calls; the only module that knows pycuda and the CUDA driver.

pycuda gives memory, copies and streams. It has no stream capture and no reset of the primary
context, so those few calls go to the driver's library itself.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from engines.errors import GpuMissingError, RunnerError
from engines.types import Array

NON_BLOCKING = 1
CAPTURE_THREAD_LOCAL = 1


class Memory(Protocol):
    """Device memory: `int()` is its address."""

    def __int__(self) -> int: ...

    def free(self) -> None:
        """Give it back."""


class Cuda(NamedTuple):
    """The libraries: `pycuda.driver` and the CUDA driver through ctypes. Neither has types."""

    driver: Any
    library: Any

    @classmethod
    def load(cls) -> "Cuda":
        """Load both and start the driver.

        Raises:
            GpuMissingError: pycuda or the driver is not installed, or there is no GPU.
        """
        try:
            from pycuda import driver  # noqa: PLC0415

            cuda = cls(driver, ctypes.CDLL("libcuda.so.1"))
            driver.init()
        except (ImportError, OSError) as error:
            raise GpuMissingError(f"pycuda and an NVIDIA driver are needed: {error}") from error
        except Exception as error:  # pycuda's errors have no base that could be imported before it
            raise GpuMissingError(f"the CUDA driver does not start: {error}") from error
        if not driver.Device.count():
            raise GpuMissingError("the CUDA driver sees no GPU")
        return cuda

    @property
    def devices(self) -> int:
        """How many GPUs there are."""
        return int(self.driver.Device.count())

    def name(self, index: int) -> str:
        """The GPU's name, as `NVIDIA L4`."""
        return str(self.driver.Device(index).name())

    def capability(self, index: int) -> str:
        """The GPU's compute capability, as `8.9`."""
        major, minor = self.driver.Device(index).compute_capability()
        return f"{major}.{minor}"

    def healthy(self, index: int) -> bool:
        """Whether the GPU's primary context takes work: an error in a kernel leaves it dead."""
        try:
            device = Device(self, index)
        except RunnerError:
            return False
        try:
            device.probe()
        except RunnerError:
            return False
        finally:
            device.close()
        return True

    def reset(self, index: int) -> None:
        """Destroy the GPU's primary context, whoever holds it: the way out of a sticky error.

        Every other runner on that GPU then fails with its next batch and opens anew.
        """
        self.library.cuDevicePrimaryCtxReset_v2(index)

    @contextlib.contextmanager
    def typed(self) -> Iterator[None]:
        """Turn the driver's errors into ours.

        Raises:
            RunnerError: a call of the block failed on the device.
        """
        try:
            yield
        except self.driver.Error as error:
            raise RunnerError(f"the GPU failed: {error}") from error

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver's library.

        Raises:
            RunnerError: it returned an error.
        """
        code = getattr(self.library, name)(*arguments)
        if code:
            raise RunnerError(f"the GPU failed: {name} returned {code}")


class Device:
    """A GPU held by the thread that opened it; close it there."""

    def __init__(self, cuda: Cuda, index: int) -> None:
        self.cuda, self.index = cuda, index
        self._pinned: list[Any] = []
        with cuda.typed():
            self._context = cuda.driver.Device(index).retain_primary_context()
            self._context.push()

    def probe(self) -> None:
        """See that the context takes work.

        Raises:
            RunnerError: it does not.
        """
        with self.cuda.typed():
            self.memory(1).free()

    def stream(self) -> "Stream":
        """A new stream."""
        with self.cuda.typed():
            return Stream(self.cuda, self.cuda.driver.Stream(NON_BLOCKING))

    def memory(self, size: int) -> Memory:
        """Device memory of `size` bytes, aligned to 256."""
        with self.cuda.typed():
            allocated: Memory = self.cuda.driver.mem_alloc(max(size, 1))
            return allocated

    def pinned(self, shape: tuple[int, ...], dtype: type) -> Array:
        """Host memory that the GPU copies from and to by itself, zeros; gone after `close`."""
        with self.cuda.typed():
            array: Array = self.cuda.driver.pagelocked_empty(shape, dtype)
        self._pinned.append(array.base)
        array[...] = 0
        return array

    def used(self) -> int:
        """Bytes of the GPU's memory that are taken, by everybody."""
        with self.cuda.typed():
            free, total = self.cuda.driver.mem_get_info()
        return int(total - free)

    def close(self) -> None:
        """Let go of the context; never fails, since a broken context cannot be left properly."""
        # pycuda gives pinned memory back while its context is there, and leaks it later.
        for allocation in self._pinned:
            with contextlib.suppress(self.cuda.driver.Error):
                allocation.free()
        self._pinned.clear()
        with contextlib.suppress(self.cuda.driver.Error):
            self._context.pop()
        with contextlib.suppress(self.cuda.driver.Error):
            self._context.detach()
        # To release a primary context pycuda makes it current, and leaves it so.
        self.cuda.library.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


class Graph:
    """Work captured once, launched with one call."""

    def __init__(self, cuda: Cuda, captured: ctypes.c_void_p) -> None:
        self._cuda = cuda
        self._ready = ctypes.c_void_p()
        try:
            cuda.call("cuGraphInstantiateWithFlags", ctypes.byref(self._ready), captured, _wide(0))
        finally:
            cuda.library.cuGraphDestroy(captured)

    def launch(self, stream: "Stream") -> None:
        """Queue the work on a stream."""
        self._cuda.call("cuGraphLaunch", self._ready, ctypes.c_void_p(stream.handle))

    def close(self) -> None:
        """Free it; errors are those of a context that is gone already."""
        self._cuda.library.cuGraphExecDestroy(self._ready)


class Stream:
    """A queue of work on the GPU; what is queued runs in order and beside other streams."""

    def __init__(self, cuda: Cuda, stream: Any) -> None:
        self._cuda, self._stream = cuda, stream
        self.handle = int(stream.handle)

    def upload(self, target: Memory, source: Array) -> None:
        """Queue a copy from pinned memory; `source` stays as it is until `synchronize`."""
        with self._cuda.typed():
            self._cuda.driver.memcpy_htod_async(target, source, self._stream)

    def download(self, target: Array, source: Memory) -> None:
        """Queue a copy into pinned memory; `target` is filled after `synchronize`."""
        with self._cuda.typed():
            self._cuda.driver.memcpy_dtoh_async(target, source, self._stream)

    def synchronize(self) -> None:
        """Wait for all that was queued; other Python threads run meanwhile."""
        with self._cuda.typed():
            self._stream.synchronize()

    def capture(self, work: Callable[[], None]) -> Graph:
        """Record what `work` queues on this stream instead of running it.

        Raises:
            RunnerError: it cannot be captured; the stream is as it was before.
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
        return Graph(self._cuda, captured)


def _wide(value: int) -> ctypes.c_ulonglong:
    return ctypes.c_ulonglong(value)
