"""`libcuda.so.1`, as ctypes calls it, with what the TensorRT backend uses."""

import ctypes
from typing import TYPE_CHECKING, Any

from tests.engines.backends.fake_gpu import FAILED

if TYPE_CHECKING:
    from tests.engines.backends.fake_cuda import FakeStream, Machine


def pointed(pointer: Any) -> ctypes.c_void_p:
    """What `ctypes.byref` refers to."""
    return ctypes.cast(pointer, ctypes.POINTER(ctypes.c_void_p)).contents


class Library:
    """`libcuda.so.1` through ctypes; 0 means that a call succeeded."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def _stream(self, handle: ctypes.c_void_p) -> "FakeStream":
        return self._machine.streams[handle.value or 0]

    def _number(self, pointer: Any) -> int:
        """Write a new handle where a pointer points to."""
        number = self._machine.new()
        pointed(pointer).value = number
        return number

    def cuGetErrorName(self, code: int, name: Any) -> int:  # noqa: N802
        known = {FAILED: b"CUDA_ERROR_UNKNOWN", 700: b"CUDA_ERROR_ILLEGAL_ADDRESS"}
        ctypes.cast(name, ctypes.POINTER(ctypes.c_char_p)).contents.value = known.get(code)
        return 0 if code in known else 1

    def cuDevicePrimaryCtxSetFlags_v2(self, index: int, flags: int) -> int:  # noqa: N802
        self._machine.blocking = (index, flags) == (0, 4)
        return 0

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> int:  # noqa: N802
        assert mode == 1
        if code := self._machine.fails("begin"):
            return code
        self._stream(stream).captured = []
        return 0

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:  # noqa: N802
        """As in CUDA, the stream leaves the capture whatever the result."""
        work, self._stream(stream).captured = self._stream(stream).captured, None
        if code := self._machine.fails("end"):
            return code
        if not self._machine.capturable or work is None:
            return 901
        self._machine.graphs[self._number(graph)] = work
        return 0

    def cuGraphInstantiateWithFlags(  # noqa: N802
        self, ready: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong
    ) -> int:
        assert flags.value == 0
        if code := self._machine.fails("instantiate"):
            return code
        self._machine.graphs[self._number(ready)] = self._machine.graphs[graph.value or 0]
        return 0

    def cuGraphLaunch(self, ready: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:  # noqa: N802
        if code := self._machine.fails("launch", stream.value or 0):
            return code
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
        assert index == 0
        self._machine.reset()
        return 0
