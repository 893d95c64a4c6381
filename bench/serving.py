"""A server of our own to measure, on a free port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.wire import fetch, request

POLL_S = 0.02


class Serving(NamedTuple):
    """Where it listens, its process, and the seconds from its start until it was ready."""

    url: str
    pid: int
    ready_s: float


@contextmanager
def serving(**settings: str) -> Iterator[Serving]:
    """Serve until the block ends; `settings` are EMOTIONS_... by lower-case name."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {f"EMOTIONS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603  (ourselves)
        command, stderr=subprocess.DEVNULL, env=os.environ | given
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while not _ready(url):
            if process.poll() is not None:
                raise RuntimeError("the server did not start; try `emotions serve`")
            time.sleep(POLL_S)
        yield Serving(url, process.pid, time.monotonic() - started)
    finally:
        process.terminate()
        process.wait()


def _ready(url: str) -> bool:
    return fetch(url, request(path="/readyz", method="GET")).status == 200
