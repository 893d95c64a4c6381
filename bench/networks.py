"""`python -m bench.networks`: each network by engine and precision, in turns on one pinned core.

For each it builds and verifies the plan first. The figures are medians over the rounds: time that
passed, and CPU time, which other work on the machine disturbs less.
"""

import argparse
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

import numpy as np

from engines import build, cpu
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError
from engines.probe_inputs import probe
from engines.select import load_engine
from engines.types import Engine, Runner
from offline.cli.build import chosen
from service.settings import Settings

ENGINES = ("onnxruntime", "openvino")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
# Runs of one engine before the next has its turn.
BURST = 3


class Figures(NamedTuple):
    """Milliseconds a batch, and how far the plan is from the reference."""

    passed: float
    cpu: float
    parity: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="by default those in use")
    parser.add_argument("--core", type=int, help="the CPU to run on; by default the last one")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    core = max(os.sched_getaffinity(0)) if given.core is None else given.core
    os.sched_setaffinity(0, {core})
    for line in report(Settings(), given.model or [], given.rounds):
        print(line, flush=True)


def report(settings: Settings, names: list[str], rounds: int) -> Iterator[str]:
    """Yield the lines of a table as they come; what cannot be built says why."""
    yield "| network | batch | engine | precision | ms | CPU ms | parity |"
    yield "|---|---|---|---|---|---|---|"
    for spec in chosen(names, settings):
        plans, refused = _plans(spec, settings)
        yield from (f"| {spec.name} | | {head} | | | {why} |" for head, why in refused.items())
        for batch in sorted({1, cpu.batch(spec)}):
            found = _turns(spec, plans, batch, rounds)
            for head, (passed, used, parity) in found.items():
                yield f"| {spec.name} | {batch} | {head} | {passed:.2f} | {used:.2f} | {parity} |"


Plans = dict[str, tuple[Engine, build.Built]]


def _plans(spec: ModelSpec, settings: Settings) -> tuple[Plans, dict[str, str]]:
    plans: Plans = {}
    refused: dict[str, str] = {}
    for name in ENGINES:
        for precision in PRECISIONS:
            head = f"{name} | {precision}"
            try:
                engine = load_engine(name)
                if precision in engine.precisions:
                    built = build.build(spec, engine, settings.plans, precision=precision)
                    plans[head] = engine, built
            except EngineError as error:
                refused[head] = str(error)
    return plans, refused


def _turns(spec: ModelSpec, plans: Plans, batch: int, rounds: int) -> Mapping[str, Figures]:
    feeds = {spec.input_name: np.repeat(probe(spec)[:1], batch, axis=0)}
    passed: dict[str, list[float]] = {head: [] for head in plans}
    cpu: dict[str, list[float]] = {head: [] for head in plans}
    with ExitStack() as stack:
        runners: dict[str, Runner] = {
            head: stack.enter_context(engine.open(built.path, spec))
            for head, (engine, built) in plans.items()
        }
        for turn in range(rounds + 1):
            for head, runner in runners.items():
                for _ in range(BURST):
                    wall, used = time.perf_counter(), time.process_time()
                    runner.infer(feeds)
                    if turn:  # the first is to warm up
                        cpu[head].append(1000 * (time.process_time() - used))
                        passed[head].append(1000 * (time.perf_counter() - wall))
    return {
        head: Figures(median(passed[head]), median(cpu[head]), _told(built))
        for head, (_, built) in plans.items()
    }


def _told(built: build.Built) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in (built.sidecar.parity or {}).items())


if __name__ == "__main__":
    main()
