"""The tables of `python -m bench.gpu`."""

import asyncio
import platform
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from bench.gpu.decoding import decoding_table
from bench.gpu.pipeline import pipeline_rates
from bench.measure.loops import calls_per_second
from bench.measure.output import header, row
from bench.networks import parity
from engines import build, cpu
from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError
from engines.gpus import visible
from engines.probe_inputs import probe
from engines.select import load_engine
from engines.types import Engine, Runner
from offline.plans import select_models
from service.settings import Settings

# CUDA graphs or not, and the number of streams, in the order of the table's lines.
MODES = ((True, 2), (True, 1), (False, 2), (False, 1))
HEAD = header(
    "engine | precision | model | mode | batch | ms | items/s | share of the bare engine | "
    "GPU MB | parity"
)


class Measurement(NamedTuple):
    """What to measure; `most` is the largest batch, `clients` those of the whole pipeline."""

    engines: list[str]
    precisions: list[Precision]
    models: list[str]
    seconds: float
    most: int
    clients: int
    scenes: list[str]


def report(plan: Measurement, settings: Settings) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"Machine: {platform.machine()}, {cpu.available()} cores, {_gpus()}"
    engines: list[Engine] = []
    for name in plan.engines:
        try:
            engine = load_engine(name)
            obstacle = engine.obstacle()
        except EngineError as error:
            obstacle = str(error)
        if obstacle is None:
            engines.append(engine)
        else:
            yield f"- {name} does not run here: {obstacle}"
    runs = [(engine, precision) for engine in engines for precision in plan.precisions]
    yield "\n" + HEAD
    for engine, precision in runs:
        for spec in select_models(plan.models, settings):
            yield from rows(engine, precision, spec, plan, settings)
    yield "\n" + header("engine | precision | images/s | faces/s")
    for engine, precision in runs:
        yield _pipeline(engine, precision, plan, settings)
    yield from decoding_table(plan.scenes, plan.seconds)


def rows(
    engine: Engine, precision: Precision, spec: ModelSpec, plan: Measurement, settings: Settings
) -> Iterator[str]:
    """Yield a line for each mode and batch size of a network, or one with the error."""
    head = engine.name, precision, spec.name
    try:
        built = build.build(spec, engine, settings.plans, precision=precision)
        for mode, variant in _modes(engine):
            before = _used(engine)
            with variant.open(built.path, spec) as runner:
                taken = _used(engine) - before
                memory = f"{taken / 2**20:.0f}" if taken else "-"
                for batch in (size for size in spec.batches if size <= plan.most):
                    figures = _sweep(runner, spec, batch, plan.seconds)
                    yield row(*head, mode, batch, *figures, memory, parity(built))
    except EngineError as error:
        yield row(*head, error, *[""] * 6)


def _modes(engine: Engine) -> Iterator[tuple[str, Engine]]:
    if not isinstance(engine, TensorRT):
        yield "-", engine
        return
    for graphs, streams in MODES:
        name = f"{'graphs' if graphs else 'no graphs'}, {streams} stream{'s'[: streams - 1]}"
        yield name, engine.like(graphs=graphs, streams=streams)


def _sweep(runner: Runner, spec: ModelSpec, batch: int, seconds: float) -> tuple[str, str, str]:
    """Milliseconds per batch, items per second, and the share of the bare engine's rate.

    TensorRT runs two batches at a time, because copies and computation of two streams overlap.
    """
    streams = 2 if isinstance(runner, TensorRTRunner) else 1
    items = np.repeat(probe(spec)[:1], batch * streams, axis=0)
    rate = _rate(lambda: runner.infer({spec.input_name: items}), seconds) * streams
    share = "-"
    if isinstance(runner, TensorRTRunner):
        share = f"{rate / _rate(lambda: runner.compute(batch), seconds):.2f}"
    return f"{1000 / rate:.3g}", f"{batch * rate:.4g}", share


def _rate(call: Callable[[], object], seconds: float) -> float:
    call()  # a warm-up
    return calls_per_second(call, seconds)


def _pipeline(engine: Engine, precision: Precision, plan: Measurement, settings: Settings) -> str:
    settings = settings.model_copy(update={"engine": engine.name, "precision": precision})
    try:
        images, faces = asyncio.run(pipeline_rates(settings, plan.seconds, plan.clients))
    except EngineError as error:
        return row(engine.name, precision, error, "")
    return row(engine.name, precision, f"{images:.4g}", f"{faces:.4g}")


def _gpus() -> str:
    try:
        found = visible()
    except EngineError as error:
        return f"no GPU ({error})"
    return ", ".join(f"{gpu.name} ({gpu.capability})" for gpu in found)


def _used(engine: Engine) -> int:
    """Memory in bytes that all processes use on the first GPU; 0 without a GPU."""
    if not isinstance(engine, TensorRT):
        return 0
    with closing(Device(engine.cuda)) as device:
        return device.used()
