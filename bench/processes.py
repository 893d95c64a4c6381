"""What a process and all that it started hold and use: memory, descriptors, CPU time (Linux)."""

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Holding(NamedTuple):
    """Resident memory in MiB, open descriptors and threads of a process and its children."""

    mib: float
    descriptors: int
    threads: int
    processes: int


def holding(pid: int) -> Holding:
    """Look now; what ends meanwhile counts nothing."""
    mib, descriptors, threads, processes = 0.0, 0, 0, 0
    for each in _tree(pid):
        try:
            status = _status(each)
            descriptors += len(list((PROC / str(each) / "fd").iterdir()))
            mib += _memory(each)
            threads += int(status["Threads"])
            processes += 1
        except (OSError, KeyError):
            continue
    return Holding(mib, descriptors, threads, processes)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all that it started, those included that it has waited for."""
    ticks = 0
    for each in _tree(pid):
        try:
            fields = (PROC / str(each) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int | None = None) -> float:
    """Resident memory of one process, of this one by default."""
    return int(_status(pid or os.getpid())["VmRSS"].split()[0]) / 1024


def _memory(pid: int) -> float:
    """Proportional where the system tells: what processes share is counted once."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return resident_mib(pid)
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _status(pid: int) -> dict[str, str]:
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        for children in (PROC / str(each) / "task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found
