"""A real `serve run emotions.ray:app`, with a Ray cluster."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure.ports import free_ports
from bench.measure.processes import command, tree
from tests.server import Server, await_ready

READY_S = 240
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
    log, port = plans / f"ray-{time.monotonic_ns()}.log", free_ports(1)[0]
    # The folder has sockets, whose paths have at most 107 bytes.
    with TemporaryDirectory(prefix="ray", dir="/tmp") as folder, log.open("wb") as output:
        command = [sys.executable, "-m", "tests.ray.cluster", str(port), folder, "run", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            server = Server(f"http://127.0.0.1:{port}", process, log)
            await_ready(server, READY_S)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def replicas(server: Server) -> list[int]:
    """Return the processes that analyze images."""
    found = [process.pid for process in tree(server.process.pid)]
    return [pid for pid in found if ":Analysis" in command(pid)]
