"""A TensorRT plan on one GPU: buffers made once, two lanes, a CUDA graph a batch size."""

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.backends.tensorrt.build import Library, logger
from engines.backends.tensorrt.cuda import Cuda, Device
from engines.backends.tensorrt.stream import Lane
from engines.catalog import ModelSpec
from engines.errors import PlanDamagedError, RunnerError
from engines.types import Array, Feeds, Runner

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


class TensorRTRunner(Runner):
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
            device.probe()  # or TensorRT loads no plan, and the plan is blamed
            engine = _engine(library, plan, spec)
            self._lanes = [
                self._stack.enter_context(contextlib.closing(Lane(device))) for _ in range(lanes)
            ]
            for lane in self._lanes:
                lane.prepare(library, engine, self._buckets)
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

    def stage(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.types.Staging`: rows that fit one batch go to pinned memory at once."""
        if shape[0] > self._buckets[-1]:
            return np.empty(shape, dtype)
        return self._lanes[0].stage(shape[0])

    def compute(self, bucket: int) -> None:
        """Run one of the plan's batch sizes on what is in its buffers: the engine's own time."""
        self._lanes[0].compute(bucket)

    def __exit__(self, *error: object) -> None:
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


def _engine(library: Library, plan: Path, spec: ModelSpec) -> "trt.ICudaEngine":
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
