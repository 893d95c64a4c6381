"""A real `serve run emotions.ray:app` on a Ray cluster of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.server import Server

READY_S = 100
RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # So that a queue is seen within seconds.
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
}


@contextmanager
def ray_serving(plans: Path, *arguments: str, **settings: str) -> Iterator[Server]:
    """Run `serve run ARGUMENTS` until the block ends; `settings` are as of `serving`.

    The first argument is `emotions.ray:app` or the name of a configuration.
    """
    given = {f"EMOTIONS_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | RAY | {"EMOTIONS_PLANS": str(plans)} | given
    log, port = plans / f"ray-{time.monotonic_ns()}.log", _free_port()
    # The folder has sockets, whose paths have at most 107 bytes.
    with TemporaryDirectory(prefix="ray", dir="/tmp") as folder, log.open("wb") as output:
        command = [sys.executable, "-m", "tests.ray.cluster", str(port), folder, "run", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            server = Server(f"http://127.0.0.1:{port}", process, log)
            _await_ready(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(server: Server) -> None:
    for _ in range(READY_S * 10):
        if server.process.poll() is not None:
            break
        try:
            if httpx.get(f"{server.url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"it did not become ready: {server.log.read_text()}")
