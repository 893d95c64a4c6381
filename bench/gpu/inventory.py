"""Stage `inventory`: GPUs, driver, and the engines that run here."""

from collections.abc import Iterator

from bench.gpu.day import Day, obstacles_of
from bench.gpu.machine import driver
from bench.gpu.results import Figure, Finding, Problem
from engines.errors import GpuMissingError
from engines.gpus import visible
from engines.memory import MIB

# CUDA 13 needs it, see docs/tensorrt.md.
LEAST_DRIVER = 580


def inventory(day: Day) -> Iterator[Finding]:
    """Yield the GPUs and engines; a machine without both is a problem, unless it is a rehearsal."""
    try:
        for number, gpu in enumerate(visible()):
            name = f"GPU {number}: {gpu.name}"
            yield Figure(name, {"capability": float(gpu.capability), "MiB": gpu.memory / MIB})
        major = driver().partition(".")[0]
        if major.isdecimal() and int(major) < LEAST_DRIVER:
            yield Problem(f"the driver is {driver()}; CUDA 13 needs {LEAST_DRIVER} or newer")
    except GpuMissingError as error:
        if not day.rehearsal:
            yield Problem(str(error))
    obstacles = obstacles_of(day)
    for name, obstacle in obstacles.items():
        why = f": {obstacle}" if obstacle else ""
        yield Figure(f"engine {name}{why}", {"runs": float(not obstacle)})
    if all(obstacles.values()):
        yield Problem("no engine runs here: " + "; ".join(map(str, obstacles.values())))
