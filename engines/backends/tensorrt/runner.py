"""A TensorRT plan on one GPU: fixed buffers, alternating streams, a CUDA graph per batch size."""

import contextlib
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.device import Device, healthy
from engines.backends.tensorrt.library import Library, logger
from engines.backends.tensorrt.pieces import pieces
from engines.backends.tensorrt.stream import Stream
from engines.catalog import ModelSpec
from engines.errors import PlanDamagedError, RunnerError
from engines.types import Array, Feeds, Runner

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


class TensorRTRunner(Runner):
    """Runs batches in pieces of the plan's batch sizes, on `streams` streams in turn.

    While one stream computes, the next is filled and copied to the GPU. After an error of the
    device the runner is unusable; opening another resets the GPU's context if it is broken.
    """

    def __init__(
        self,
        library: Library,
        cuda: Cuda,
        plan: Path,
        spec: ModelSpec,
        *,
        streams: int = 2,
        graphs: bool = True,
    ) -> None:
        self._sizes = spec.batches
        load = partial(self._load, library, plan, spec, streams=streams, graphs=graphs)
        try:
            load(Device(cuda))
        except RunnerError:
            if healthy(cuda):
                raise
            log.exception("runner.reset: the context of the GPU is destroyed and created again")
            cuda.reset()
            load(Device(cuda))

    def _load(
        self,
        library: Library,
        plan: Path,
        spec: ModelSpec,
        device: Device,
        *,
        streams: int,
        graphs: bool,
    ) -> None:
        self._stack = contextlib.ExitStack()
        self._stack.callback(device.close)
        try:
            device.probe()  # in a broken context TensorRT fails to load a plan without a reason
            engine = _deserialized(library, plan, spec)
            self._streams = [
                self._stack.enter_context(contextlib.closing(Stream(device)))
                for _ in range(streams)
            ]
            for stream in self._streams:
                stream.prepare(library, engine, self._sizes)
                stream.warm(graphs)
        except BaseException:
            self._stack.close()
            raise

    @property
    def graphs(self) -> int:
        """Number of CUDA graphs of all streams together."""
        return sum(stream.captured for stream in self._streams)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        results: list[dict[str, Array]] = []
        busy: list[Stream] = []
        start = 0
        for turn, (rows, size) in enumerate(pieces(_rows(feeds), self._sizes)):
            stream = self._streams[turn % len(self._streams)]
            if stream in busy:
                busy.remove(stream)
                results.append(stream.collect())
            piece = {name: array[start : start + rows] for name, array in feeds.items()}
            stream.submit(piece, rows, size)
            busy.append(stream)
            start += rows
        results += [stream.collect() for stream in busy]
        if len(results) == 1:
            return results[0]
        return {name: np.concatenate([piece[name] for piece in results]) for name in results[0]}

    def input_buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.types.InputBuffer`; rows that fit one batch are written to pinned memory."""
        if shape[0] > self._sizes[-1]:
            return np.empty(shape, dtype)
        return self._streams[0].input_buffer(shape[0])

    def compute(self, size: int) -> None:
        """Run a batch size on the current content of its buffers, to measure the engine alone."""
        self._streams[0].compute(size)

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _deserialized(library: Library, plan: Path, spec: ModelSpec) -> "trt.ICudaEngine":
    engine: trt.ICudaEngine | None
    engine = library.Runtime(logger(library)).deserialize_cuda_engine(plan.read_bytes())
    if engine is None:
        raise PlanDamagedError(
            f"TensorRT does not load {plan} ({logger(library).last_error}); "
            f"run `emotions build --force {spec.name}`"
        )
    return engine


def _rows(feeds: Feeds) -> int:
    return len(next(iter(feeds.values())))
