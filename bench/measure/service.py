"""The service on a free port, and the figures of a closed-loop load on it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import IO, NamedTuple

from bench.load.client import fetch, request, run
from bench.load.loops import closed_loop, open_loop
from bench.load.result import Result
from bench.measure.metrics import mean_items, scrape
from bench.measure.ports import free_ports
from bench.measure.processes import Usage, watching

POLL_S, READY_S = 0.02, 120.0
# Share of the closed loop's rate that the open loop offers.
LOAD_SHARE = 0.7
WARM_UP_S = 2.0
LOG_CHARACTERS = 10_000


class Serving(NamedTuple):
    """Address and process of a server, and the seconds from its start until it was ready."""

    url: str
    pid: int
    ready_s: float


class Measured(NamedTuple):
    """A closed-loop load, what the server used meanwhile, and its mean batch per network."""

    load: Result
    used: Usage
    batches: Mapping[str, float]

    @property
    def server_ms(self) -> float:
        """CPU milliseconds of the server per good answer."""
        return 1000 * self.used.cpu_s / max(1, len(self.load.seconds()))

    @property
    def client_ms(self) -> float:
        """CPU milliseconds of the clients per request, on the same cores."""
        return 1000 * self.load.cpu_s / max(1, self.load.sent)


def mean_batch(rounds: Sequence[Measured], network: str) -> str:
    """The median over the rounds of the items per batch; "-" for a network that did not run."""
    means = [each.batches[network] for each in rounds if network in each.batches]
    return f"{median(means):.1f}" if means else "-"


@contextmanager
def serving(copy: IO[bytes] | None = None, /, **settings: str) -> Iterator[Serving]:
    """Run `emotions serve` until the block ends; `settings` are EMOTIONS_... by lower-case name.

    Its log is written to `copy` after it has ended.

    Raises:
        RuntimeError: the server was not ready within `READY_S`; the message ends with its log.
    """
    (port,) = free_ports(1)
    given = {f"EMOTIONS_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | given  # noqa: TID251  (for the server)
    command = [sys.executable, "-m", "offline.cli", "serve", "--port", str(port)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stderr=log)  # noqa: S603
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(url, process, log)
            yield Serving(url, process.pid, time.monotonic() - started)
        finally:
            process.terminate()
            process.wait()
            if copy:
                log.seek(0)
                copy.write(log.read())


def _await_ready(url: str, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    patience = time.monotonic() + READY_S
    while fetch(url, request(path="/readyz", method="GET")).status != 200:
        if process.poll() is not None or time.monotonic() > patience:
            log.seek(0)
            end = log.read().decode(errors="replace")[-LOG_CHARACTERS:]
            raise RuntimeError(f"the server did not start; try `emotions serve`\n{end}")
        time.sleep(POLL_S)


def warm_up(url: str, calls: Sequence[bytes], clients: int, seconds: float) -> None:
    """Load a server for at most `WARM_UP_S` before a measurement of `seconds`."""
    run(closed_loop(url, calls, clients, min(seconds, WARM_UP_S)))


def measured(server: Serving, calls: Sequence[bytes], clients: int, seconds: float) -> Measured:
    """Measure the service under a closed-loop load."""
    before = scrape(server.url)
    with watching(server.pid) as used:
        load = run(closed_loop(server.url, calls, clients, seconds))
    return Measured(load, used, mean_items(before, scrape(server.url)))


def steady(server: Serving, calls: Sequence[bytes], full: Result, seconds: float) -> Result:
    """Measure an open-loop load at `LOAD_SHARE` of the rate of a closed loop.

    Raises:
        RuntimeError: the closed loop got no good answer.
    """
    if not full.rate:
        raise RuntimeError(f"the service answered no request: {full.statuses}")
    return run(open_loop(server.url, calls, LOAD_SHARE * full.rate, seconds))
