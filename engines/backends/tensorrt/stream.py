"""A CUDA stream of a runner, with its buffers and an execution context per batch size."""

import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from engines.backends.tensorrt.cuda_stream import CudaGraph, Memory
from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.library import Library
from engines.errors import RunnerError
from engines.types import Array

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


class Stream:
    """A CUDA stream with its buffers, and an execution context per batch size.

    Each size has its own context, since a captured graph depends on its context's shapes. The
    contexts share the stream's memory, since only one of them runs at a time.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._stack = contextlib.ExitStack()
        self._cuda = device.stream()
        self._contexts: dict[int, trt.IExecutionContext] = {}
        self._host: dict[str, Array] = {}
        self._memory: dict[str, Memory] = {}
        self._graphs: dict[int, CudaGraph] = {}
        self._inputs: list[str] = []
        self._outputs: list[str] = []
        self._pending = 0

    def prepare(self, library: Library, engine: "trt.ICudaEngine", sizes: tuple[int, ...]) -> None:
        """Create the contexts and buffers for the batch sizes.

        Raises:
            RunnerError: the GPU has no memory for them, or the plan has other batch sizes.
        """
        scratch = self._allocate(engine.device_memory_size_v2)
        self._inputs, self._outputs = _names(library, engine)
        for profile, rows in enumerate(sizes):
            context = _context(library, engine)
            if context is None:
                raise RunnerError("TensorRT creates no context; is the GPU's memory full?")
            self._contexts[rows] = context
            context.set_device_memory(int(scratch), engine.device_memory_size_v2)
            self._set_shape(engine, context, profile, rows)
        self._make_buffers(library, engine, self._contexts[sizes[-1]])

    @property
    def captured(self) -> int:
        """Number of batch sizes that have a CUDA graph."""
        return len(self._graphs)

    def warm(self, graphs: bool) -> None:
        """Run each batch size once, which loads its kernels, then capture it if `graphs`.

        Raises:
            RunnerError: a batch size does not run.
        """
        for rows, context in self._contexts.items():
            self._enqueue(context)
            self._cuda.synchronize()
            if graphs:
                self._capture(rows, context)

    def _capture(self, rows: int, context: "trt.IExecutionContext") -> None:
        try:
            graph = self._cuda.capture(partial(self._enqueue, context))
        except RunnerError as error:
            log.warning("graph.left-out: batch %d runs without a CUDA graph: %s", rows, str(error))
            return
        self._stack.callback(graph.close)
        self._graphs[rows] = graph

    def submit(self, feeds: Mapping[str, Array], rows: int, size: int) -> None:
        """Queue a piece: copy `rows` to the GPU, run batch size `size`, copy `rows` back."""
        for name in self._inputs:
            pinned = self._host[name][:rows]
            given = _checked(feeds, name, pinned)
            if given.ctypes.data != pinned.ctypes.data:
                pinned[...] = given
            self._cuda.upload(self._memory[name], pinned)
        self._launch(size)
        for name in self._outputs:
            self._cuda.download(self._host[name][:rows], self._memory[name])
        self._pending = rows

    def input_buffer(self, rows: int) -> Array:
        """The pinned memory of the first input, which `submit` need not copy again."""
        return self._host[self._inputs[0]][:rows]

    def compute(self, size: int) -> None:
        """Run a batch size without copies and wait for it."""
        self._launch(size)
        self._cuda.synchronize()

    def _launch(self, size: int) -> None:
        if size in self._graphs:
            self._graphs[size].launch(self._cuda)
        else:
            self._enqueue(self._contexts[size])

    def collect(self) -> dict[str, Array]:
        """Wait for the piece and return a copy of its rows."""
        self._cuda.synchronize()
        return {name: self._host[name][: self._pending].copy() for name in self._outputs}

    def close(self) -> None:
        """Free everything; errors are ignored, since the context may be gone."""
        with contextlib.suppress(RunnerError):
            self._cuda.synchronize()
        self._contexts.clear()
        self._stack.close()

    def _set_shape(
        self, engine: "trt.ICudaEngine", context: "trt.IExecutionContext", profile: int, rows: int
    ) -> None:
        _check(context.set_optimization_profile_async(profile, self._cuda.handle), "profile")
        self._cuda.synchronize()
        for name in self._inputs:
            shape = (rows, *tuple(engine.get_tensor_shape(name))[1:])
            _check(context.set_input_shape(name, shape), f"shape {shape} of {name}")
        missing = context.infer_shapes()
        _check(not missing, f"shapes of {missing}")

    def _make_buffers(
        self, library: Library, engine: "trt.ICudaEngine", largest: "trt.IExecutionContext"
    ) -> None:
        """Allocate the buffers for the largest batch and set their addresses in every context."""
        for name in (*self._inputs, *self._outputs):
            shape = tuple(largest.get_tensor_shape(name))
            self._host[name] = self._device.pinned(
                shape, library.nptype(engine.get_tensor_dtype(name))
            )
            memory = self._memory[name] = self._allocate(self._host[name].nbytes)
            for context in self._contexts.values():
                _check(context.set_tensor_address(name, int(memory)), f"address {name}")

    def _allocate(self, size: int) -> Memory:
        memory = self._device.memory(size)
        self._stack.callback(self._free, memory)
        return memory

    def _free(self, memory: Memory) -> None:
        with contextlib.suppress(RunnerError), self._device.cuda.typed():
            memory.free()

    def _enqueue(self, context: "trt.IExecutionContext") -> None:
        _check(context.execute_async_v3(self._cuda.handle), "execution")


def _context(library: Library, engine: "trt.ICudaEngine") -> "trt.IExecutionContext | None":
    """A context that uses our memory for activations, or None if TensorRT cannot create it."""
    strategy = library.ExecutionContextAllocationStrategy.USER_MANAGED
    rtx: Any = library
    if not hasattr(rtx, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context(strategy)
    # TensorRT-RTX compiles kernels on first use by default, too late for a captured graph.
    config: Any = engine.create_runtime_config()
    config.set_execution_context_allocation_strategy(strategy)
    eager = rtx.DynamicShapesKernelSpecializationStrategy.EAGER
    config.dynamic_shapes_kernel_specialization_strategy = eager
    return engine.create_execution_context(config)


def _names(library: Library, engine: "trt.ICudaEngine") -> tuple[list[str], list[str]]:
    """Names of the inputs and of the outputs."""
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == library.TensorIOMode.INPUT]
    return inputs, [name for name in names if name not in inputs]


def _checked(feeds: Mapping[str, Array], name: str, pinned: Array) -> Array:
    given = feeds.get(name)
    if given is None or given.shape != pinned.shape or given.dtype != pinned.dtype:
        found: Any = "nothing" if given is None else f"{given.dtype} {given.shape}"
        raise RunnerError(f"{name} must be {pinned.dtype} {pinned.shape}, not {found}")
    return given


def _check(done: bool, what: str) -> None:
    if not done:
        raise RunnerError(f"TensorRT failed: {what}")
