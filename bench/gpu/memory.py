"""Stage `memory`: memory of the networks, two services on one GPU, and too small budgets."""

import asyncio
import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from bench.gpu.day import Day, Skipped, running, service_settings, usable
from bench.gpu.load import failures, latencies
from bench.gpu.results import Figure, Finding, Problem
from bench.load.client import run
from bench.load.loops import closed_loop
from bench.load.mix import requests
from bench.load.result import Result
from bench.measure.service import Serving, warm_up
from engines.gpus import Gpu, restrict
from engines.memory import MIB

# Shares of the GPU: for each of two services, and for one that has only small batches.
HALF, LITTLE = 0.4, 0.1
TOO_LITTLE = MIB
SETTING = "EMOTIONS_GPU_MEMORY_BYTES"


def memory(day: Day) -> Iterator[Finding]:
    """Yield memory and rate of one service, of two at a time, and with little memory."""
    for engine in usable(day):
        if not engine.gpus():
            raise Skipped(f"{engine.name} runs on the CPU, where there is no budget")
        gpu, given = engine.gpus()[0], service_settings(day, engine)
        restrict(gpu)
        yield from served(day, gpu, f"{engine.name}, alone", given)
        half = given | {"gpu_memory_bytes": str(int(HALF * gpu.memory))}
        yield from served(day, gpu, f"{engine.name}, two with {HALF:.0%} each", half, half)
        if day.rehearsal:  # its networks take no memory of a GPU
            continue
        little = given | {"gpu_memory_bytes": str(int(LITTLE * gpu.memory))}
        yield from served(day, gpu, f"{engine.name}, with {LITTLE:.0%}", little)
        yield from refused(engine.name, given)


def served(day: Day, gpu: Gpu, name: str, *services: dict[str, str]) -> Iterator[Finding]:
    """Yield the memory of services that are loaded at the same time; no request may fail."""
    before, calls = used(gpu), requests(day.scenes[0])
    with ExitStack() as stack:
        servers = [stack.enter_context(running(given)) for given in services]
        for server in servers:
            warm_up(server.url, calls, day.clients, day.load_s)
        results = run(together(servers, calls, day))
        values = {} if before is None else {"MiB": round(((used(gpu) or 0) - before) / MIB)}
    for number, result in enumerate(results, 1):
        rate = {"images_per_s": round(result.rate, 1)}
        yield Figure(f"{name}, service {number}", rate | latencies(result) | values)
    yield from failures(name, *results)


async def together(servers: Sequence[Serving], calls: Sequence[bytes], day: Day) -> list[Result]:
    """Load all servers at the same time."""
    loads = (closed_loop(each.url, calls, day.clients, day.load_s) for each in servers)
    return await asyncio.gather(*loads)


def refused(name: str, given: dict[str, str]) -> Iterator[Finding]:
    """Start a service with next to no memory: it must refuse, and name the setting to change."""
    try:
        with running(given | {"gpu_memory_bytes": str(TOO_LITTLE)}):
            yield Problem(f"{name}: it started with a budget of {TOO_LITTLE} bytes")
    except RuntimeError as error:
        if SETTING not in str(error):
            yield Problem(f"{name}: with too small a budget its log does not name {SETTING}")


def used(gpu: Gpu) -> int | None:
    """Bytes of the GPU that all processes use; None without NVML."""
    try:
        nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
        return int(nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByUUID(gpu.uuid)).used)
    except Exception:  # its exceptions have no base class that is known without it
        return None
