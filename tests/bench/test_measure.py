"""Memory and CPU time of a process with its children, and batch sizes of a service."""

import os
import subprocess
import sys

import pytest

from bench.load.client import fetch
from bench.load.mix import requests
from bench.measure.metrics import Batches, mean_items, scrape
from bench.measure.processes import children, command, cpu_seconds, pinned, resources, watching
from tests.server import Server

# A process that does nothing, and a child that holds 150 MiB for a while, computes, and ends.
CHILD = "import time; x = b'x' * (150 << 20); sum(range(3_000_000)); time.sleep(0.7)"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}])
print("done", flush=True)
input()
"""


def test_memory_and_cpu_time_are_those_of_the_whole_tree() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        with watching(process.pid) as used:
            process.stdout.readline()
        assert resources(process.pid).threads == 1
        process.communicate(b"\n")
    assert resources(process.pid) == (0, 0, 0)
    assert used.peak_mib > 150
    assert used.cpu_s > 0


def test_a_process_that_has_ended_has_no_figures() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    found = children(process.pid), command(process.pid), cpu_seconds(process.pid)
    assert found == ([], "", 0)


def test_children_and_their_commands_are_found() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        assert process.pid in children(os.getpid())
        assert command(process.pid) == "/bin/sleep 60"
        process.kill()


def test_cores_are_pinned_until_the_block_ends() -> None:
    before = os.sched_getaffinity(0)
    with pinned({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_batch_sizes_are_those_between_two_scrapes() -> None:
    before = {"detector": Batches(100, 100)}
    after = {"detector": Batches(130, 110), "emotion": Batches(8, 4), "embedder": Batches(0, 0)}
    assert mean_items(before, after) == {"detector": 3, "emotion": 2}


def test_a_service_reports_its_batches(server: Server) -> None:
    (call,) = requests("640x480, 1 face")
    assert fetch(server.url, call).status == 200
    assert {"detector", "emotion"} <= set(scrape(server.url))


def test_a_service_without_metrics_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:1: refused"):
        scrape("http://127.0.0.1:1")
