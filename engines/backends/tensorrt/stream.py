"""Half of a runner: a stream, its buffers, and an execution context for each batch size."""

import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from engines.backends.tensorrt.build import Library
from engines.backends.tensorrt.cuda import Device, Graph, Memory
from engines.errors import RunnerError
from engines.types import Array

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


class Lane:
    """A stream with its buffers, and an execution context for each batch size.

    Contexts are one a size, since a captured graph holds on to its context's shapes; they share
    the lane's memory, since only one of them runs at a time.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._stack = contextlib.ExitStack()
        self._stream = device.stream()
        self._contexts: dict[int, trt.IExecutionContext] = {}
        self._host: dict[str, Array] = {}
        self._there: dict[str, Memory] = {}
        self._graphs: dict[int, Graph] = {}
        self._inputs: list[str] = []
        self._outputs: list[str] = []
        self._pending = 0

    def prepare(
        self, library: Library, engine: "trt.ICudaEngine", buckets: tuple[int, ...]
    ) -> None:
        """Make contexts and buffers.

        Raises:
            RunnerError: there is no memory for them, or the plan is not for these batch sizes.
        """
        scratch = self._memory(engine.device_memory_size_v2)
        self._inputs, self._outputs = _names(library, engine)
        for profile, rows in enumerate(buckets):
            context = _context(library, engine)
            if context is None:
                raise RunnerError("TensorRT makes no context; is the GPU's memory full?")
            self._contexts[rows] = context
            context.set_device_memory(int(scratch), engine.device_memory_size_v2)
            self._shape(engine, context, profile, rows)
        self._allocate(library, engine, self._contexts[buckets[-1]])

    @property
    def captured(self) -> int:
        """How many batch sizes have a CUDA graph."""
        return len(self._graphs)

    def warm(self, graphs: bool) -> None:
        """Run every batch size once, which loads its kernels, and then capture it.

        Raises:
            RunnerError: a batch size does not run.
        """
        for rows, context in self._contexts.items():
            self._enqueue(context)
            self._stream.synchronize()
            if not graphs:
                continue
            try:
                work = self._stream.capture(partial(self._enqueue, context))
            except RunnerError as error:
                log.warning(
                    "graph.left-out: batch %d runs without a CUDA graph: %s", rows, str(error)
                )
                continue
            self._stack.callback(work.close)
            self._graphs[rows] = work

    def submit(self, feeds: Mapping[str, Array], rows: int, bucket: int) -> None:
        """Queue a piece: copy `rows` to the GPU, run the `bucket`, copy `rows` back."""
        for name in self._inputs:
            pinned = self._host[name][:rows]
            given = _checked(feeds, name, pinned)
            if given.ctypes.data != pinned.ctypes.data:
                pinned[...] = given
            self._stream.upload(self._there[name], pinned)
        self._launch(bucket)
        for name in self._outputs:
            self._stream.download(self._host[name][:rows], self._there[name])
        self._pending = rows

    def stage(self, rows: int) -> Array:
        """The pinned memory of the first input's next `rows`; `submit` does not copy them."""
        return self._host[self._inputs[0]][:rows]

    def compute(self, bucket: int) -> None:
        """Run a batch size and wait, with no copies."""
        self._launch(bucket)
        self._stream.synchronize()

    def _launch(self, bucket: int) -> None:
        if bucket in self._graphs:
            self._graphs[bucket].launch(self._stream)
        else:
            self._enqueue(self._contexts[bucket])

    def collect(self) -> dict[str, Array]:
        """Wait for the piece and return its rows, in memory of their own."""
        self._stream.synchronize()
        return {name: self._host[name][: self._pending].copy() for name in self._outputs}

    def close(self) -> None:
        """Free everything; errors are those of a context that is gone already."""
        with contextlib.suppress(RunnerError):
            self._stream.synchronize()
        self._contexts.clear()
        self._stack.close()

    def _shape(
        self, engine: "trt.ICudaEngine", context: "trt.IExecutionContext", profile: int, rows: int
    ) -> None:
        _sure(context.set_optimization_profile_async(profile, self._stream.handle), "profile")
        self._stream.synchronize()
        for name in self._inputs:
            shape = (rows, *tuple(engine.get_tensor_shape(name))[1:])
            _sure(context.set_input_shape(name, shape), f"shape {shape} of {name}")
        missing = context.infer_shapes()
        _sure(not missing, f"shapes of {missing}")

    def _allocate(
        self, library: Library, engine: "trt.ICudaEngine", largest: "trt.IExecutionContext"
    ) -> None:
        """Make the buffers, once, for the largest batch, and tell every context of them."""
        for name in (*self._inputs, *self._outputs):
            shape = tuple(largest.get_tensor_shape(name))
            self._host[name] = self._device.pinned(
                shape, library.nptype(engine.get_tensor_dtype(name))
            )
            self._there[name] = self._memory(self._host[name].nbytes)
            for context in self._contexts.values():
                _sure(context.set_tensor_address(name, int(self._there[name])), f"address {name}")

    def _memory(self, size: int) -> Memory:
        memory = self._device.memory(size)
        self._stack.callback(self._freed, memory)
        return memory

    def _freed(self, memory: Memory) -> None:
        with contextlib.suppress(RunnerError), self._device.cuda.typed():
            memory.free()

    def _enqueue(self, context: "trt.IExecutionContext") -> None:
        _sure(context.execute_async_v3(self._stream.handle), "execution")


def _context(library: Library, engine: "trt.ICudaEngine") -> "trt.IExecutionContext | None":
    """A context whose memory is ours to give, or None where TensorRT has no room for it."""
    strategy = library.ExecutionContextAllocationStrategy.USER_MANAGED
    rtx: Any = library
    if not hasattr(rtx, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context(strategy)
    # TensorRT-RTX compiles kernels when they are first run; late, a graph would miss them.
    config: Any = engine.create_runtime_config()
    config.set_execution_context_allocation_strategy(strategy)
    eager = rtx.DynamicShapesKernelSpecializationStrategy.EAGER
    config.dynamic_shapes_kernel_specialization_strategy = eager
    return engine.create_execution_context(config)


def _names(library: Library, engine: "trt.ICudaEngine") -> tuple[list[str], list[str]]:
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == library.TensorIOMode.INPUT]
    return inputs, [name for name in names if name not in inputs]


def _checked(feeds: Mapping[str, Array], name: str, pinned: Array) -> Array:
    given = feeds.get(name)
    if given is None or given.shape != pinned.shape or given.dtype != pinned.dtype:
        found: Any = "nothing" if given is None else f"{given.dtype} {given.shape}"
        raise RunnerError(f"{name} must be {pinned.dtype} {pinned.shape}, not {found}")
    return given


def _sure(done: bool, what: str) -> None:
    if not done:
        raise RunnerError(f"TensorRT failed: {what}")
