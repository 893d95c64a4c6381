"""Stages `plans-...`: build every plan in one precision and compare it with the reference."""

import time
from collections.abc import Iterator

from bench.gpu.day import Day, with_precision
from bench.gpu.results import Figure, Finding, Parity, Problem
from engines import build
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError, WeightsMissingError
from engines.types import Engine
from service.settings import Settings


def plans(day: Day, precision: Precision) -> Iterator[Finding]:
    """Yield the time of each build, and its parity. A plan that exists is verified again."""
    for engine in with_precision(day, precision):
        for spec in day.specs(engine):
            yield from one(engine, precision, spec)


def one(engine: Engine, precision: Precision, spec: ModelSpec) -> Iterator[Finding]:
    """Build and verify one plan. An embedder without weights is left out, as in the service."""
    name, folder, started = f"{engine.name}, {precision}, {spec.name}", Settings().plans, _now()
    try:
        built = build.build(spec, engine, folder, precision=precision, log=print)
        seconds = _now() - started
        sidecar = built.sidecar
        if not built.fresh:
            sidecar = build.verify(spec, engine, folder, precision)
    except WeightsMissingError as error:
        print(f"{name}: left out, {error}")
        return
    except EngineError as error:
        yield Problem(f"{name}: {error}")
        return
    if built.fresh:
        yield Figure(name, {"build_s": round(seconds, 1)})
    yield Parity(name, sidecar.parity or {})
    if sidecar.parity is None:
        yield Problem(f"{name}: built, but it cannot be verified here")


def _now() -> float:
    return time.monotonic()
