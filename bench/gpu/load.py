"""Stage `load`: the real service under load, with HTTP, in front of the GPU."""

from collections.abc import Iterator

from bench.gpu.day import Day, running, service_settings, usable
from bench.gpu.results import Figure, Finding, Problem
from bench.load.mix import requests
from bench.load.result import Result
from bench.measure.service import Serving, measured, steady, warm_up


def load(day: Day) -> Iterator[Finding]:
    """Yield rates and latencies of each scene: many clients, and random arrivals at 70 %."""
    for engine in usable(day):
        with running(service_settings(day, engine)) as server:
            yield from under_load(day, engine.name, server)


def under_load(day: Day, engine: str, server: Serving) -> Iterator[Finding]:
    """Yield the figures of a service; no request may fail."""
    for scene in day.scenes:
        calls, name = requests(scene), f"{engine}, {scene}"
        warm_up(server.url, calls, day.clients, day.load_s)
        full = measured(server, calls, day.clients, day.load_s)
        yield Figure(f"{name}, {day.clients} clients", {
            "images_per_s": round(full.load.rate, 1),
            **latencies(full.load),
            "cpu_ms": round(full.server_ms, 2),
            "rows_per_batch": round(full.batches.get("detector", 0), 1),
            "MiB": round(full.used.peak_mib),
        })  # fmt: skip
        calm = steady(server, calls, full.load, day.load_s)
        rate = {"images_per_s": round(calm.rate, 1)}
        yield Figure(f"{name}, open loop at 70 %", rate | latencies(calm))
        yield from failures(name, full.load, calm)


def failures(name: str, *results: Result) -> Iterator[Problem]:
    """Yield a problem for each load in which a request failed."""
    for result in results:
        if result.failed:
            yield Problem(f"{name}: {result.failed} requests failed: {result.statuses}")


def latencies(result: Result) -> dict[str, float]:
    """The median and the 99th percentile in milliseconds."""
    return {f"p{p}_ms": round(result.quantile(p / 100), 1) for p in (50, 99)}
