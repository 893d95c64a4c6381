"""A server of our own to measure, on a free port."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from bench.wire import fetch, request

POLL_S = 0.02
COMMAND = ("offline.cli", "serve")
SHOWN = 2000  # characters of the log of a server that did not start


class Serving(NamedTuple):
    """Where it listens, its process, and the seconds from its start until it was ready."""

    url: str
    pid: int
    ready_s: float


@contextmanager
def serving(command: Sequence[str] = COMMAND, **settings: str) -> Iterator[Serving]:
    """Serve until the block ends; `settings` are EMOTIONS_... by lower-case name.

    `command` is the module to run and its arguments; it also takes --port.

    Raises:
        RuntimeError: the server did not start; the message ends with its log.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {f"EMOTIONS_{name.upper()}": value for name, value in settings.items()}
    started = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            [sys.executable, "-m", *command, "--port", str(port)],
            stderr=log,
            env=os.environ | given,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await(url, process, log)
            yield Serving(url, process.pid, time.monotonic() - started)
        finally:
            process.terminate()
            process.wait()


def _await(url: str, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    while fetch(url, request(path="/readyz", method="GET")).status != 200:
        if process.poll() is not None:
            log.seek(0)
            said = log.read().decode(errors="replace")[-SHOWN:]
            raise RuntimeError(f"the server did not start; try `emotions serve`\n{said}")
        time.sleep(POLL_S)
