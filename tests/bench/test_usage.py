"""What a server used: its children's memory and CPU too, and the most, not the last."""

import subprocess
import sys

import pytest

from bench.load import requests
from bench.processes import watching
from bench.scrape import Batches, mean_items, scrape
from bench.wire import fetch
from tests.server import Server

# A process that does nothing, and a child that holds 150 MiB for a while, works, and ends.
CHILD = "import time; x = b'x' * (150 << 20); sum(range(3_000_000)); time.sleep(1)"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}])
print("done", flush=True)
input()
"""


def test_the_peak_is_that_of_the_whole_tree() -> None:
    command = [sys.executable, "-c", PARENT]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        with watching(process.pid) as used:
            process.stdout.readline()
        process.communicate(b"\n")
    assert used.peak_mib > 150
    assert used.cpu_s > 0


def test_batch_sizes_are_of_the_time_between_two_scrapes() -> None:
    before = {"detector": Batches(100, 100)}
    after = {"detector": Batches(130, 110), "emotion": Batches(8, 4), "embedder": Batches(0, 0)}
    assert mean_items(before, after) == {"detector": 3, "emotion": 2}


def test_a_real_service_tells_its_batches(server: Server) -> None:
    (call,) = requests("640x480, 1 face")
    assert fetch(server.url, call).status == 200
    assert {"detector", "emotion"} <= set(scrape(server.url))


def test_a_service_without_metrics_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"no metrics from http://127\.0\.0\.1:1: refused"):
        scrape("http://127.0.0.1:1")
