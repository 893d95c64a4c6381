"""Stage `gpus`: several GPUs or MIG slices serve together, and one of them is lost."""

import subprocess
import sys
from collections.abc import Iterator

from bench.gpu.day import Day, Skipped, running, service_settings, usable
from bench.gpu.faults import VICTIMS, killed, processes, verdict
from bench.gpu.load import failures, latencies
from bench.gpu.results import Figure, Finding, Problem
from bench.load.client import run
from bench.load.mix import requests
from bench.measure.service import measured, warm_up
from engines.gpus import Gpu, one_per_kind, restrict
from engines.types import Engine

DEVICE = VICTIMS["device process"]


def several(day: Day) -> Iterator[Finding]:
    """Yield the rates of all GPUs and of one, and the effect of the loss of a device process."""
    engine = usable(day)[0]
    gpus = engine.gpus()
    if len(gpus) < 2:
        raise Skipped(f"{len(gpus)} GPU(s) or slices here; two are needed")
    if len(one_per_kind(gpus)) > 1:
        yield from _build(day, engine)
    yield from _rate(day, engine, gpus, lose=True)
    restrict(gpus[0])
    yield from _rate(day, engine, gpus[:1])


def _build(day: Day, engine: Engine) -> Iterator[Finding]:
    """Build the plans for all kinds of GPUs: the stages before have them only for the first."""
    given = service_settings(day, engine)
    options = ["--engine", given["engine"], "--precision", given["precision"]]
    command = [sys.executable, "-m", "offline.cli", "build", *options]
    if subprocess.run(command, check=False).returncode:  # noqa: S603  (ourselves)
        yield Problem("the plans for another kind of GPU cannot be built")


def _rate(
    day: Day, engine: Engine, gpus: tuple[Gpu, ...], *, lose: bool = False
) -> Iterator[Finding]:
    name, calls = f"{engine.name}, {len(gpus)} GPU(s)", requests(day.scenes[0])
    with running(service_settings(day, engine)) as server:
        if len(processes(server.pid, DEVICE)) != len(gpus):
            yield Problem(f"{name}: there is not one device process per GPU")
        warm_up(server.url, calls, day.clients, day.load_s)
        found = measured(server, calls, day.clients, day.load_s).load
        yield Figure(name, {"images_per_s": round(found.rate, 1)} | latencies(found))
        yield from failures(name, found)
        if lose:
            lost = run(killed(server, DEVICE, calls, day.clients, 3 * day.load_s))
            yield from verdict(f"{name}, one device process killed", lost)
