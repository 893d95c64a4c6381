"""What a process and all that it started hold and use: memory, descriptors, CPU time (Linux)."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
SAMPLE_S, GROWN = 0.5, 1.005


class Holding(NamedTuple):
    """Resident memory in MiB, open descriptors and threads of a process and its children."""

    mib: float
    descriptors: int
    threads: int
    processes: int


def holding(pid: int) -> Holding:
    """Look now; what ends meanwhile counts nothing."""
    mib, descriptors, threads, processes = 0.0, 0, 0, 0
    for each in tree(pid):
        try:
            status = _status(each)
            descriptors += len(list((PROC / str(each) / "fd").iterdir()))
            mib += _memory(each)
            threads += int(status["Threads"])
            processes += 1
        except (OSError, KeyError):
            continue
    return Holding(mib, descriptors, threads, processes)


@dataclass
class Usage:
    """What a process and all that it started used: CPU seconds, and MiB at the most."""

    cpu_s: float = 0.0
    peak_mib: float = 0.0


@contextmanager
def watching(pid: int) -> Iterator[Usage]:
    """Measure until the block ends; memory is looked at twice a second."""
    usage, ended, before = Usage(), threading.Event(), cpu_seconds(pid)
    watcher = threading.Thread(target=_look, args=(pid, usage, ended))
    watcher.start()
    try:
        yield usage
    finally:
        ended.set()
        watcher.join()
        usage.cpu_s = cpu_seconds(pid) - before


def _look(pid: int, usage: Usage, ended: threading.Event) -> None:
    """What is shared takes long to tell apart, so that is done where memory has grown."""
    most, last = 0, False
    while not last:
        last = ended.wait(SAMPLE_S)
        found = tree(pid)
        pages = sum(_pages(each) for each in found)
        if pages > most * GROWN:
            most = pages
            usage.peak_mib = max(usage.peak_mib, sum(_memory(each) for each in found))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all that it started, those included that it has waited for."""
    ticks = 0
    for each in tree(pid):
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
    """In MiB, proportional where the system tells: what processes share is counted once."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return _pages(pid) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _pages(pid: int) -> int:
    """Resident pages, shared ones too; 0 of a process that has ended."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1])
    except OSError:
        return 0


def _status(pid: int) -> dict[str, str]:
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def children(pid: int) -> list[int]:
    """The processes that one has started and that are still there."""
    found: list[int] = []
    for listed in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            found += [int(child) for child in listed.read_text().split()]
    return found


def command(pid: int) -> str:
    """The command line of a process; empty for one that has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for each in found:
        found += children(each)
    return found


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Pin this thread to `cores`, and with it what it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
