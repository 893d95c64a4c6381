"""How many CPU cores this process may really use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available(cgroup: Path = CGROUP) -> int:
    """Cores by the affinity mask, capped by the cgroup's CPU quota (v2 `cpu.max`, v1 CFS).

    A container limited to two CPUs of a 64-core host still sees 64 in `os.cpu_count`; a thread
    each would starve them all.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _quota(cgroup)
    return allowed if quota is None else min(allowed, quota)


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
