"""The cores and instructions that this process may use; the base class of engines on CPUs."""

import functools
import math
import os
import platform
from pathlib import Path
from typing import Self

from engines.catalog import ModelSpec
from engines.gpus import Gpu

CGROUP = Path("/sys/fs/cgroup")
CPUINFO = Path("/proc/cpuinfo")
# Largest batch of faces.
FACES = 8
# Prefixes, in Linux's names, of the instructions that decide between inference kernels.
FAMILIES = ("avx", "amx", "fma", "asimd", "sve", "bf16", "i8mm")


class CpuEngine:
    """The parts of `engines.types.Engine` that are the same for all engines on the CPU."""

    def obstacle(self) -> None:
        """None: it runs on any CPU."""

    def gpus(self) -> tuple[Gpu, ...]:
        """None: it uses no GPU."""
        return ()

    def on(self, gpu: Gpu) -> Self:  # noqa: ARG002
        """The same engine, since it uses no GPU."""
        return self

    def batch(self, spec: ModelSpec) -> int:
        """One image, or up to `FACES` faces: a larger batch costs memory and saves no time.

        See docs/adr/0004.
        """
        return 1 if spec.task == "detector" else min(FACES, spec.max_batch)


def available(cgroup: Path = CGROUP) -> int:
    """Number of cores: the affinity mask, limited by the cgroup's CPU quota (v2 `cpu.max`, v1 CFS).

    In a container with a limit of two CPUs on a host of 64 cores, `os.cpu_count` is 64, and 64
    threads would starve each other.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _quota(cgroup)
    return allowed if quota is None else min(allowed, quota)


@functools.cache
def instructions(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The CPU's vector and matrix instructions, and its architecture; only the latter off Linux."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    found = {flag for flag in flags.partition(":")[2].split() if flag.startswith(FAMILIES)}
    return frozenset(found | {platform.machine()})


def _quota(cgroup: Path) -> int | None:
    """Whole CPUs in the quota, at least one; None if there is no quota."""
    for quota, period in (_v2(cgroup), _v1(cgroup)):
        if quota > 0 and period > 0:
            return max(1, math.floor(quota / period))
    return None


def _v2(cgroup: Path) -> tuple[int, int]:
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return (int(quota), int(period)) if quota != "max" else (0, 0)
    except (OSError, ValueError):
        return 0, 0


def _v1(cgroup: Path) -> tuple[int, int]:
    try:
        quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        return quota, int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return 0, 0
