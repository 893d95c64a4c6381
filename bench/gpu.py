"""`python -m bench.gpu`: what the engines of this machine do, as Markdown tables.

For the first minute with a GPU, and the same on a CPU: it builds and verifies what runs here, says
of the rest why not, and measures each network by batch size and the pipeline as a whole.
"""

import argparse
import asyncio
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.types import Options
from bench.decoding import decoding_table
from bench.scenes import SIZES, scene
from engines import build, cpu
from engines.backends.tensorrt.cuda import Cuda, Device
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError
from engines.probe_inputs import probe
from engines.select import ENGINES, load_engine
from engines.types import Engine, Runner
from offline.cli.build import chosen
from service.factory import find_models, open_pipeline
from service.settings import Settings
from service.telemetry.metrics import Metrics

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
# CUDA graphs and streams, in the order of the table's rows.
WAYS = ((True, 2), (True, 1), (False, 2), (False, 1))


class Given(NamedTuple):
    """What the command line says."""

    engines: list[str]
    precisions: list[Precision]
    models: list[str]
    seconds: float
    most: int
    clients: int
    scenes: list[str]
    out: Path | None


def main() -> None:
    """Measure and print; with `--out`, write to a file as well."""
    given = _arguments()
    lines: list[str] = []
    for line in report(given, Settings()):
        print(line, flush=True)
        lines.append(line)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text("\n".join(lines) + "\n")


def _arguments() -> Given:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--precision", action="append", choices=PRECISIONS)
    parser.add_argument("--model", action="append", help="by default those in use")
    parser.add_argument("--seconds", type=float, default=2, help="for each figure")
    parser.add_argument("--most", type=int, default=512, help="largest batch")
    parser.add_argument("--clients", type=int, default=64, help="of the whole pipeline")
    parser.add_argument("--scene", action="append", choices=SIZES, help="to decode")
    parser.add_argument("--out", type=Path)
    found = parser.parse_args()
    return Given(
        found.engine or list(ENGINES),
        found.precision or list(PRECISIONS),
        found.model or [],
        found.seconds,
        found.most,
        found.clients,
        found.scene or list(SIZES),
        found.out,
    )


def report(given: Given, settings: Settings) -> Iterator[str]:
    """Yield the lines of the report as they come."""
    yield f"Machine: {platform.machine()}, {cpu.available()} cores, {_gpus()}"
    engines: list[Engine] = []
    for name in given.engines:
        try:
            engine = load_engine(name)
            obstacle = engine.obstacle()
        except EngineError as error:
            obstacle = str(error)
        if obstacle is None:
            engines.append(engine)
        else:
            yield f"- {name} does not run here: {obstacle}"
    yield "\n| engine | precision | model | way | batch | ms | items/s | of raw | GPU MB | parity |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for engine in engines:
        for precision in given.precisions:
            for spec in chosen(given.models, settings):
                yield from _rows(engine, precision, spec, given, settings)
    yield "\n| engine | precision | images/s | faces/s |\n|---|---|---|---|"
    for engine in engines:
        for precision in given.precisions:
            yield _whole(engine, precision, given, settings)
    yield from decoding_table(given.scenes, given.seconds)


def _rows(
    engine: Engine, precision: Precision, spec: ModelSpec, given: Given, settings: Settings
) -> Iterator[str]:
    head = f"| {engine.name} | {precision} | {spec.name}"
    try:
        built = build.build(spec, engine, settings.plans, precision=precision)
        parity = ", ".join(f"{k} {v:.4g}" for k, v in (built.sidecar.parity or {}).items())
        for way, runner_engine in _ways(engine):
            before = _used(engine)
            with runner_engine.open(built.path, spec) as runner:
                taken = _used(engine) - before
                memory = f"{taken / 2**20:.0f}" if taken else "-"
                for batch in (size for size in spec.batches if size <= given.most):
                    figures = _sweep(runner, spec, batch, given.seconds)
                    yield f"{head} | {way} | {batch} | {figures} | {memory} | {parity} |"
    except EngineError as error:
        yield f"{head} | {error} |||||||"


def _ways(engine: Engine) -> Iterator[tuple[str, Engine]]:
    if not isinstance(engine, TensorRT):
        yield "-", engine
        return
    for graphs, lanes in WAYS:
        name = f"{'graphs' if graphs else 'no graphs'}, {lanes} stream{'s'[: lanes - 1]}"
        yield name, engine.like(graphs=graphs, lanes=lanes)


def _sweep(runner: Runner, spec: ModelSpec, batch: int, seconds: float) -> str:
    """Milliseconds, rate and share of the bare engine's rate; two batches at once on two lanes."""
    lanes = 2 if isinstance(runner, TensorRTRunner) else 1
    items = np.repeat(probe(spec)[:1], batch * lanes, axis=0)
    spent = _each(lambda: runner.infer({spec.input_name: items}), seconds) / lanes
    share = "-"
    if isinstance(runner, TensorRTRunner):
        share = f"{_each(lambda: runner.compute(batch), seconds) / spent:.2f}"
    return f"{1000 * spent:.3g} | {batch / spent:.4g} | {share}"


def _each(run: Callable[[], object], seconds: float) -> float:
    """Seconds a call, after one to warm up."""
    run()
    count, started = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - started < seconds:
        run()
        count += 1
    return (time.perf_counter() - started) / count


def _whole(engine: Engine, precision: Precision, given: Given, settings: Settings) -> str:
    """The service's pipeline from JPEG to emotions, without HTTP."""
    chosen = settings.model_copy(update={"engine": engine.name, "precision": precision})
    try:
        images, faces = asyncio.run(_pipeline(chosen, given.seconds, given.clients))
    except EngineError as error:
        return f"| {engine.name} | {precision} | {error} ||"
    return f"| {engine.name} | {precision} | {images:.4g} | {faces:.4g} |"


async def _pipeline(settings: Settings, seconds: float, clients: int) -> tuple[float, float]:
    pipeline = open_pipeline(settings, find_models(settings), Metrics())
    body = scene(next(name for name, (_, _, faces) in SIZES.items() if faces == 5))
    found = {"images": 0, "faces": 0}
    pipeline.start()

    async def client(stop: float) -> None:
        while time.monotonic() < stop:
            done = await pipeline.analyze(body, Options(), time.monotonic() + 600)
            found["images"] += 1
            found["faces"] += len(done.unwrap().scores)

    try:
        await pipeline.analyze(body, Options(), time.monotonic() + 600)
        started = time.monotonic()
        await asyncio.gather(*(client(started + seconds) for _ in range(clients)))
        spent = time.monotonic() - started
    finally:
        await pipeline.close()
    return found["images"] / spent, found["faces"] / spent


def _gpus() -> str:
    try:
        cuda = Cuda.load()
    except EngineError as error:
        return f"no GPU ({error})"
    return ", ".join(f"{cuda.name(i)} ({cuda.capability(i)})" for i in range(cuda.devices))


def _used(engine: Engine) -> int:
    """Bytes taken on the first GPU, by everybody."""
    cuda = engine.cuda if isinstance(engine, TensorRT) else None
    if cuda is None:
        return 0
    device = Device(cuda, 0)
    try:
        return device.used()
    finally:
        device.close()


if __name__ == "__main__":
    main()
