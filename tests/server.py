"""A real `emotions serve` in a process of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

READY_S = 60


class Server(NamedTuple):
    """A running server: its URL, its process, and the file of its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self) -> httpx.Client:
        """Return a client of this server."""
        return httpx.Client(base_url=self.url, timeout=60)


@contextmanager
def serving(
    plans: Path,
    ready: bool = True,
    *,
    started: bool = True,
    module: str = "offline.cli",
    **settings: str,
) -> Iterator[Server]:
    """Serve on a free port until the block ends; `settings` are EMOTIONS_... by lower-case name.

    Without `started` the url is empty and nothing is awaited. `module` is the module to run.
    """
    log = plans / f"server-{time.monotonic_ns()}.log"
    given = {f"EMOTIONS_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_LOG_FORMAT": "json"} | given
    command = [sys.executable, "-m", module, "serve", "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stderr=output)
        try:
            url = _await_address(process, log) if started else ""
            server = Server(url, process, log)
            if ready and started:
                await_ready(server)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _await_address(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(READY_S * 20):
        found = re.search(r'"url": "(http://[^"]+)"', log.read_text())
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def await_ready(server: Server, seconds: float = READY_S) -> None:
    """Wait until a server that has been started is ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server did not become ready: {server.log.read_text()}")
