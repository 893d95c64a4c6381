"""A server of our own to measure, on a free port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx


class Serving(NamedTuple):
    """Where it listens, and its process."""

    url: str
    pid: int


@contextmanager
def serving(**settings: str) -> Iterator[Serving]:
    """Serve until the block ends; `settings` are EMOTIONS_... by lower-case name."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {f"EMOTIONS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603  (ourselves)
        command, stderr=subprocess.DEVNULL, env=os.environ | given
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while not _ready(url):
            if process.poll() is not None:
                raise RuntimeError("the server did not start; try `emotions serve`")
            time.sleep(0.1)
        yield Serving(url, process.pid)
    finally:
        process.terminate()
        process.wait()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
