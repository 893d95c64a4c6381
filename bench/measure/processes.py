"""Memory, file descriptors, threads and CPU time of a process and all its descendants."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

SAMPLE_S, GROWN = 0.5, 1.005
# A process can end between two calls.
gone = suppress(psutil.Error)


class Resources(NamedTuple):
    """What a process and its descendants hold: memory in MiB, descriptors, threads."""

    mib: float
    descriptors: int
    threads: int


@dataclass
class Usage:
    """What a process and its descendants used in a period: CPU seconds, and peak MiB."""

    cpu_s: float = 0.0
    peak_mib: float = 0.0


def resources(pid: int) -> Resources:
    """Measure now."""
    found = [Resources(0, 0, 0)]
    for process in tree(pid):
        with gone:
            found.append(Resources(_pss(process), process.num_fds(), process.num_threads()))
    return Resources(*map(sum, zip(*found, strict=True)))


@contextmanager
def watching(pid: int) -> Iterator[Usage]:
    """Measure until the block ends; memory is sampled twice per second."""
    usage, ended, before = Usage(), threading.Event(), cpu_seconds(pid)
    sampler = threading.Thread(target=_sample, args=(pid, usage, ended))
    sampler.start()
    try:
        yield usage
    finally:
        ended.set()
        sampler.join()
        usage.cpu_s = cpu_seconds(pid) - before


def _sample(pid: int, usage: Usage, ended: threading.Event) -> None:
    """Proportional memory is slow to read, so read it only when resident memory has grown."""
    highest, last = 0.0, False
    while not last:
        last = ended.wait(SAMPLE_S)
        resident = sum(map(_rss, tree(pid)))
        if resident > highest * GROWN:
            highest = resident
            usage.peak_mib = max(usage.peak_mib, sum(map(_pss, tree(pid))))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants, including ended ones that were reaped."""
    total = 0.0
    for process in tree(pid):
        with gone:
            total += sum(process.cpu_times()[:4])  # user, system, and the same of ended children
    return total


def _rss(process: psutil.Process) -> float:
    """Resident memory in MiB, shared pages included; 0 if the process has ended."""
    with gone:
        return float(process.memory_info().rss) / 2**20
    return 0.0


def _pss(process: psutil.Process) -> float:
    """Proportional memory in MiB, in which shared pages count once; resident off Linux."""
    with gone:
        return float(getattr(process.memory_full_info(), "pss", 0)) / 2**20 or _rss(process)
    return _rss(process)


def resident_mib() -> float:
    """Resident memory of this process."""
    return _rss(psutil.Process())


def children(pid: int) -> list[int]:
    """Process ids of the direct children."""
    with gone:
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def command(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    with gone:
        return " ".join(psutil.Process(pid).cmdline())
    return ""


def tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    with gone:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Pin this thread, and the processes that it starts, to `cores` until the block ends."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
