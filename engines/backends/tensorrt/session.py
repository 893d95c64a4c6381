"""One CUDA stream of a runner: its memory, an execution context and a graph per batch size."""

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from engines.backends.tensorrt.buffers import Buffers
from engines.backends.tensorrt.contexts import contexts, enqueue
from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.graphs import CudaGraph, captured_or_none
from engines.backends.tensorrt.library import Library
from engines.backends.tensorrt.memory import MemoryLayout
from engines.backends.tensorrt.plan import LoadedPlan
from engines.backends.tensorrt.streams import CudaStream
from engines.errors import RunnerError
from engines.types import Array

if TYPE_CHECKING:
    import tensorrt as trt


class Session:
    """Runs one piece of a batch at a time."""

    def __init__(
        self, library: Library, device: Device, plan: LoadedPlan, layout: MemoryLayout
    ) -> None:
        self._library, self._device, self._plan, self._layout = library, device, plan, layout
        self._stream = CudaStream(device)
        self._buffers = Buffers(device, plan.tensors, layout)
        self._contexts: dict[int, trt.IExecutionContext] = {}
        self._graphs: dict[int, CudaGraph] = {}
        self._pending = 0

    @property
    def captured(self) -> int:
        """Number of batch sizes that have a CUDA graph."""
        return len(self._graphs)

    def prepare(self, *, graphs: bool) -> None:
        """Create the contexts and run each batch size once, which loads its kernels; capture it.

        Raises:
            GpuMemoryError: the GPU has no memory for them.
            RunnerError: a batch size does not run, or the plan has other batch sizes.
        """
        self._contexts = contexts(
            self._library, self._plan, self._layout, self._buffers, self._stream
        )
        for size, context in self._contexts.items():
            work = partial(enqueue, self._library, context, self._stream)
            work()
            self._stream.synchronize()
            if graphs:
                graph = captured_or_none(self._device.cuda, self._stream, size, work)
                if graph is not None:
                    self._graphs[size] = graph
                    self.compute(size)  # the first launch takes memory and time

    def submit(self, feeds: Mapping[str, Array], rows: int, size: int) -> None:
        """Queue a piece: copy `rows` to the GPU, run batch size `size`, copy `rows` back."""
        stream, buffers = self._stream, self._buffers
        for tensor in self._plan.tensors:
            if tensor.is_input:
                pinned = buffers.host[tensor.name][:rows]
                given = _checked(feeds, tensor.name, pinned)
                if given.ctypes.data != pinned.ctypes.data:
                    pinned[...] = given
                stream.upload(buffers.address(tensor.name), pinned)
        self._launch(size)
        for tensor in self._plan.tensors:
            if not tensor.is_input:
                pinned = buffers.host[tensor.name][:rows]
                stream.download(pinned, buffers.address(tensor.name))
        self._pending = rows

    def collect(self) -> dict[str, Array]:
        """Wait for the piece and return a copy of its rows."""
        self._stream.synchronize()
        return {
            tensor.name: self._buffers.host[tensor.name][: self._pending].copy()
            for tensor in self._plan.tensors
            if not tensor.is_input
        }

    def input_buffer(self, rows: int) -> Array:
        """The pinned memory of the input, which `submit` need not copy again."""
        source = next(tensor for tensor in self._plan.tensors if tensor.is_input)
        return self._buffers.host[source.name][:rows]

    def compute(self, size: int) -> None:
        """Run a batch size without copies and wait for it."""
        self._launch(size)
        self._stream.synchronize()

    def close(self) -> None:
        """Free everything; errors are ignored, since the context may be gone."""
        with contextlib.suppress(RunnerError):
            self._stream.synchronize()
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()
        self._contexts.clear()
        self._buffers.close()
        self._stream.close()

    def _launch(self, size: int) -> None:
        if size in self._graphs:
            self._graphs[size].launch(self._stream)
        else:
            enqueue(self._library, self._contexts[size], self._stream)


def _checked(feeds: Mapping[str, Array], name: str, pinned: Array) -> Array:
    given = feeds.get(name)
    if given is None or given.shape != pinned.shape or given.dtype != pinned.dtype:
        found: Any = "nothing" if given is None else f"{given.dtype} {given.shape}"
        raise RunnerError(f"{name} must be {pinned.dtype} {pinned.shape}, not {found}")
    return given
