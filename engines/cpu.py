"""What of the CPU this process may really use: cores and instructions; and what a core likes."""

import functools
import math
import os
import platform
from pathlib import Path

from engines.catalog import ModelSpec

CGROUP = Path("/sys/fs/cgroup")
CPUINFO = Path("/proc/cpuinfo")
FACES = 8
# Of those that inference kernels are chosen by, as Linux names them.
FAMILIES = ("avx", "amx", "fma", "asimd", "sve", "bf16", "i8mm")


def batch(spec: ModelSpec) -> int:
    """One image, or some faces: on a CPU a larger batch costs memory and saves nothing.

    See docs/adr/0004.
    """
    return 1 if spec.task == "detector" else min(FACES, spec.max_batch)


def available(cgroup: Path = CGROUP) -> int:
    """Cores by the affinity mask, capped by the cgroup's CPU quota (v2 `cpu.max`, v1 CFS).

    A container limited to two CPUs of a 64-core host still sees 64 in `os.cpu_count`; a thread
    each would starve them all.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _quota(cgroup)
    return allowed if quota is None else min(allowed, quota)


@functools.cache
def instructions(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The CPU's vector and matrix instructions; only its architecture where Linux does not tell."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    found = {flag for flag in flags.partition(":")[2].split() if flag.startswith(FAMILIES)}
    return frozenset(found | {platform.machine()})


def _quota(cgroup: Path) -> int | None:
    """Whole CPUs that the quota gives, at least one; None where there is no limit."""
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
