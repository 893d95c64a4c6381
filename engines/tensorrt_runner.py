"""A TensorRT plan on one GPU: buffers made once, two lanes, a CUDA graph a batch size."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.catalog import ModelSpec
from engines.device import Cuda, Device, Graph, Memory
from engines.errors import PlanDamaged, RunnerError
from engines.runner import Array, Feeds, Runner
from engines.tensorrt_build import Library, logger

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


class TensorRTRunner:
    """Runs batches in pieces of the plan's batch sizes, on `lanes` streams in turn.

    While one lane computes, the next is filled and copied to the GPU. A device error ends the
    runner; opening it anew resets the GPU's context when that is what it takes.
    """

    def __init__(
        self,
        library: Library,
        cuda: Cuda,
        index: int,
        plan: Path,
        spec: ModelSpec,
        *,
        lanes: int = 2,
        graphs: bool = True,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._buckets = spec.batches
        self._closed = closed
        opened = partial(self._open, library, plan, spec, lanes=lanes, graphs=graphs)
        try:
            opened(Device(cuda, index))
        except RunnerError:
            if cuda.healthy(index):
                raise
            log.exception("runner.reset: GPU %d; its context is destroyed and made anew", index)
            cuda.reset(index)
            opened(Device(cuda, index))

    def _open(
        self,
        library: Library,
        plan: Path,
        spec: ModelSpec,
        device: Device,
        *,
        lanes: int,
        graphs: bool,
    ) -> None:
        self._stack = contextlib.ExitStack()
        self._stack.callback(device.close)
        try:
            engine = _engine(library, plan, spec)
            self._lanes = [
                self._stack.enter_context(
                    contextlib.closing(Lane(library, engine, device, self._buckets))
                )
                for _ in range(lanes)
            ]
            for lane in self._lanes:
                lane.warm(graphs)
        except BaseException:
            self._stack.close()
            raise

    @property
    def graphs(self) -> int:
        """How many batch sizes run as CUDA graphs, of all lanes together."""
        return sum(lane.captured for lane in self._lanes)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        results: list[dict[str, Array]] = []
        busy: list[Lane] = []
        start = 0
        for turn, (rows, bucket) in enumerate(pieces(_rows(feeds), self._buckets)):
            lane = self._lanes[turn % len(self._lanes)]
            if lane in busy:
                busy.remove(lane)
                results.append(lane.collect())
            piece = {name: array[start : start + rows] for name, array in feeds.items()}
            lane.submit(piece, rows, bucket)
            busy.append(lane)
            start += rows
        results += [lane.collect() for lane in busy]
        if len(results) == 1:
            return results[0]
        return {name: np.concatenate([piece[name] for piece in results]) for name in results[0]}

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._closed()


def pieces(rows: int, buckets: tuple[int, ...]) -> list[tuple[int, int]]:
    """Cut a batch into (rows, bucket): as many of the largest as it fills, and the rest.

    The rest is padded to its bucket, or cut in two, for two lanes, where that computes less.
    """
    largest = buckets[-1]
    whole, rest = divmod(rows, largest)
    return [(largest, largest)] * whole + (_rest(rest, buckets) if rest else [])


def _rest(rows: int, buckets: tuple[int, ...]) -> list[tuple[int, int]]:
    padded = _holding(rows, buckets)
    full = max((bucket for bucket in buckets if bucket < rows), default=rows)
    left = rows - full
    if left and full + _holding(left, buckets) < padded:
        return [(full, full), (left, _holding(left, buckets))]
    return [(rows, padded)]


def _holding(rows: int, buckets: tuple[int, ...]) -> int:
    return next(bucket for bucket in buckets if bucket >= rows)


class Lane:
    """A stream with its buffers, and an execution context for each batch size.

    Contexts are one a size, since a captured graph holds on to its context's shapes; they share
    the lane's memory, since only one of them runs at a time.
    """

    def __init__(
        self, library: Library, engine: "trt.ICudaEngine", device: Device, buckets: tuple[int, ...]
    ) -> None:
        self._stack = contextlib.ExitStack()
        self._device = device
        self._stream = device.stream()
        self._scratch = self._memory(engine.device_memory_size_v2)
        self._contexts = {rows: _context(library, engine) for rows in buckets}
        self._host: dict[str, Array] = {}
        self._there: dict[str, Memory] = {}
        self._graphs: dict[int, Graph] = {}
        self._pending = 0
        self._inputs, self._outputs = _names(library, engine)
        for profile, (rows, context) in enumerate(self._contexts.items()):
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
                work = self._stream.capture(lambda context=context: self._enqueue(context))  # type: ignore[misc]
            except RunnerError as error:
                log.warning("graph.left-out: batch %d runs without a CUDA graph: %s", rows, error)
                continue
            self._stack.callback(work.close)
            self._graphs[rows] = work

    def submit(self, feeds: Mapping[str, Array], rows: int, bucket: int) -> None:
        """Queue a piece: copy `rows` to the GPU, run the `bucket`, copy `rows` back."""
        for name in self._inputs:
            pinned = self._host[name][:rows]
            pinned[...] = _checked(feeds, name, pinned)
            self._stream.upload(self._there[name], pinned)
        if bucket in self._graphs:
            self._graphs[bucket].launch(self._stream)
        else:
            self._enqueue(self._contexts[bucket])
        for name in self._outputs:
            self._stream.download(self._host[name][:rows], self._there[name])
        self._pending = rows

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
        context.set_device_memory(int(self._scratch), engine.device_memory_size_v2)
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


def _engine(library: Library, plan: Path, spec: ModelSpec) -> "trt.ICudaEngine":
    engine: trt.ICudaEngine | None
    engine = library.Runtime(logger(library)).deserialize_cuda_engine(plan.read_bytes())
    if engine is None:
        raise PlanDamaged(
            f"TensorRT does not load {plan} ({logger(library).last_error}); "
            f"run `emotions build --force {spec.name}`"
        )
    return engine


def _context(library: Library, engine: "trt.ICudaEngine") -> "trt.IExecutionContext":
    """A context whose memory is ours to give."""
    strategy = library.ExecutionContextAllocationStrategy.USER_MANAGED
    config = engine.create_runtime_config()
    config.set_execution_context_allocation_strategy(strategy)
    rtx: Any = library
    if hasattr(rtx, "DynamicShapesKernelSpecializationStrategy"):
        # TensorRT-RTX compiles kernels when they are first run; late, a graph would miss them.
        eager = rtx.DynamicShapesKernelSpecializationStrategy.EAGER
        untyped: Any = config
        untyped.dynamic_shapes_kernel_specialization_strategy = eager
    return engine.create_execution_context(config)


def _names(library: Library, engine: "trt.ICudaEngine") -> tuple[list[str], list[str]]:
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == library.TensorIOMode.INPUT]
    return inputs, [name for name in names if name not in inputs]


def _rows(feeds: Feeds) -> int:
    return len(next(iter(feeds.values())))


def _checked(feeds: Mapping[str, Array], name: str, pinned: Array) -> Array:
    given = feeds.get(name)
    if given is None or given.shape != pinned.shape or given.dtype != pinned.dtype:
        found: Any = "nothing" if given is None else f"{given.dtype} {given.shape}"
        raise RunnerError(f"{name} must be {pinned.dtype} {pinned.shape}, not {found}")
    return given


def _sure(done: bool, what: str) -> None:
    if not done:
        raise RunnerError(f"TensorRT failed: {what}")
