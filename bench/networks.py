"""`python -m bench.networks`: each network by engine and precision, in turns on one pinned core.

Builds and verifies each plan first. The figures are medians over the rounds: elapsed time, and CPU
time, which other work on the machine disturbs less.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

import numpy as np

from bench.measure.output import header, row
from engines import build, cpu
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError
from engines.probe_inputs import probe
from engines.select import load_engine
from engines.types import Engine
from offline.plans import select_models
from service.settings import Settings

ENGINES = ("onnxruntime", "openvino")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
# Runs of one engine in a row.
BURST = 3
Plans = dict[tuple[str, str], tuple[Engine, build.Built]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.networks", description=__doc__)
    parser.add_argument("--model", action="append", help="by default those in use")
    parser.add_argument("--core", type=int, help="the CPU to run on; by default the last one")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    core = max(os.sched_getaffinity(0)) if options.core is None else options.core
    os.sched_setaffinity(0, {core})
    for line in report(Settings(), options.model or [], options.rounds):
        print(line, flush=True)


def report(settings: Settings, names: list[str], rounds: int) -> Iterator[str]:
    """Yield the lines of a table; a plan that cannot be built has the reason in its line."""
    yield header("network | batch | engine | precision | ms | CPU ms | parity")
    for spec in select_models(names, settings, OnnxRuntime()):
        plans: Plans = {}
        for name in ENGINES:
            for precision in PRECISIONS:
                try:
                    engine = load_engine(name)
                    if precision in engine.precisions:
                        built = build.build(spec, engine, settings.plans, precision=precision)
                        plans[name, precision] = engine, built
                except EngineError as error:
                    yield row(spec.name, "", name, precision, "", "", error)
        for batch in sorted({1, cpu.CpuEngine().batch(spec)}):
            for head, (elapsed, used) in _turns(spec, plans, batch, rounds).items():
                times = f"{elapsed:.2f}", f"{used:.2f}"
                yield row(spec.name, batch, *head, *times, parity(plans[head][1]))


def parity(built: build.Built) -> str:
    """How far a plan is from the reference, as text for a table."""
    return ", ".join(f"{name} {value:.4g}" for name, value in (built.sidecar.parity or {}).items())


def _turns(
    spec: ModelSpec, plans: Plans, batch: int, rounds: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """Milliseconds and CPU milliseconds per batch of each plan."""
    feeds = {spec.input_name: np.repeat(probe(spec)[:1], batch, axis=0)}
    elapsed: dict[tuple[str, str], list[float]] = {head: [] for head in plans}
    used: dict[tuple[str, str], list[float]] = {head: [] for head in plans}
    with ExitStack() as stack:
        runners = {
            head: stack.enter_context(engine.open(built.path, spec))
            for head, (engine, built) in plans.items()
        }
        for turn in range(rounds + 1):
            for head, runner in runners.items():
                for _ in range(BURST):
                    wall, cpu_s = time.perf_counter(), time.process_time()
                    runner.infer(feeds)
                    if turn:  # the first turn is a warm-up
                        used[head].append(1000 * (time.process_time() - cpu_s))
                        elapsed[head].append(1000 * (time.perf_counter() - wall))
    return {head: (median(elapsed[head]), median(used[head])) for head in plans}


if __name__ == "__main__":
    main()
