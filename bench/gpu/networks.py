"""Stages `networks-...`: each network by batch size, with and without CUDA graphs and streams."""

from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from bench.gpu.day import Day, with_precision
from bench.gpu.results import Figure, Finding, Problem
from bench.measure.loops import calls_per_second
from engines import build
from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError, PlanMissingError, WeightsMissingError
from engines.memory import MIB
from engines.probe_inputs import probe
from engines.types import Engine, Runner
from service.settings import Settings

# CUDA graphs or not, and the number of streams.
MODES = ((True, 2), (True, 1), (False, 2), (False, 1))


def networks(day: Day, precision: Precision) -> Iterator[Finding]:
    """Yield the times of all networks; their plans must exist."""
    for engine in with_precision(day, precision):
        for spec in day.specs(engine):
            try:
                yield from one(engine, precision, spec, day)
            except (PlanMissingError, WeightsMissingError) as error:
                if spec.task != "embedder":
                    yield Problem(str(error))
            except EngineError as error:
                yield Problem(f"{engine.name}, {precision}, {spec.name}: {error}")


def one(engine: Engine, precision: Precision, spec: ModelSpec, day: Day) -> Iterator[Figure]:
    """Yield the figures of one network, by mode and batch size."""
    path, _ = build.find(spec, engine, Settings().plans, precision)
    for mode, variant in _modes(engine):
        before = _used(engine)
        with variant.open(path, spec) as runner:
            memory = {"MiB": round((_used(engine) - before) / MIB)} if before else {}
            for batch in (size for size in spec.batches if size <= day.most):
                name = f"{engine.name}, {precision}, {spec.name}, {mode}batch {batch}"
                yield Figure(name, _sweep(runner, spec, batch, day.seconds) | memory)


def _modes(engine: Engine) -> Iterator[tuple[str, Engine]]:
    if not isinstance(engine, TensorRT):
        yield "", engine
        return
    for graphs, streams in MODES:
        name = f"{'graphs' if graphs else 'no graphs'}, {streams} stream{'s'[: streams - 1]}, "
        yield name, engine.like(graphs=graphs, streams=streams)


def _sweep(runner: Runner, spec: ModelSpec, batch: int, seconds: float) -> dict[str, float]:
    """Milliseconds per batch, items per second, and the share of the bare engine's rate.

    TensorRT runs two batches at a time, because copies and computation of two streams overlap.
    """
    streams = 2 if isinstance(runner, TensorRTRunner) else 1
    items = np.repeat(probe(spec)[:1], batch * streams, axis=0)
    rate = _rate(lambda: runner.infer({spec.input_name: items}), seconds) * streams
    found = {"ms": round(1000 / rate, 3), "items_per_s": round(batch * rate, 1)}
    if isinstance(runner, TensorRTRunner):
        found["share"] = round(rate / _rate(lambda: runner.compute(batch), seconds), 2)
    return found


def _rate(call: Callable[[], object], seconds: float) -> float:
    call()  # a warm-up
    return calls_per_second(call, seconds)


def _used(engine: Engine) -> int:
    """Memory in bytes that all processes use on the first GPU; 0 without a GPU."""
    if not isinstance(engine, TensorRT):
        return 0
    with closing(Device(engine.cuda)) as device:
        return device.used()
