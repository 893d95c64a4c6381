"""CUDA graphs: the kernels of a batch size, captured once and launched with one call."""

import ctypes
import logging
from collections.abc import Callable

from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.streams import CudaStream
from engines.errors import RunnerError

log = logging.getLogger("emotions.tensorrt")

# Other threads may allocate memory meanwhile.
CAPTURE_THREAD_LOCAL = 1


class CudaGraph:
    """Captured work, with the addresses and shapes that it had; they must not change."""

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

    def launch(self, stream: CudaStream) -> None:
        """Queue the work on a stream."""
        self._cuda.call("cuGraphLaunch", self._executable, ctypes.c_void_p(stream.handle))

    def close(self) -> None:
        """Free it; errors are ignored, since its context may be gone."""
        self._cuda.library.cuGraphExecDestroy(self._executable)


def capture(cuda: Cuda, stream: CudaStream, work: Callable[[], None]) -> CudaGraph:
    """Record what `work` queues on the stream instead of running it.

    Raises:
        RunnerError: it cannot be captured; the stream is unchanged.
    """
    captured = ctypes.c_void_p()
    handle = ctypes.c_void_p(stream.handle)
    cuda.call("cuStreamBeginCapture_v2", handle, CAPTURE_THREAD_LOCAL)
    try:
        work()
    except RunnerError:
        cuda.library.cuStreamEndCapture(handle, ctypes.byref(captured))
        if captured.value:
            cuda.library.cuGraphDestroy(captured)
        raise
    cuda.call("cuStreamEndCapture", handle, ctypes.byref(captured))
    return CudaGraph(cuda, captured)


def captured_or_none(
    cuda: Cuda, stream: CudaStream, size: int, work: Callable[[], None]
) -> CudaGraph | None:
    """Capture a batch size; if that is impossible, log it: the batch size runs without a graph."""
    try:
        return capture(cuda, stream, work)
    except RunnerError as error:
        log.warning("graph.left-out: batch %d runs without a CUDA graph: %s", size, str(error))
        return None
