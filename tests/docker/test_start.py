"""What runs in a container before and beside the service: entry point and health check."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.docker.dockerfile import ROOT

ENTRYPOINT = ROOT / "docker" / "entrypoint.sh"


def started(folder: Path, emotions: str, *arguments: str) -> subprocess.Popen[str]:
    """The entry point, with a shell script in the place of the `emotions` command."""
    command = folder / "emotions"
    command.write_text(f'#!/bin/sh\necho "$@" >&2\n{emotions}\n')
    command.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(
        [ENTRYPOINT, *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["serve", "--port", "1"], ["build", "serve --port 1"]),
        (["predict", "a b.png"], ["build", "predict a b.png"]),
        (["models", "list"], ["models list"]),
        ([], [""]),
    ],
    ids=" ".join,
)
def test_builds_before_a_command_that_needs_plans(
    tmp_path: Path, arguments: list[str], ran: list[str]
) -> None:
    with started(tmp_path, "", *arguments) as process:
        assert process.communicate(timeout=10)[1].splitlines() == ran
    assert process.returncode == 0


@pytest.mark.parametrize("option", [["--engine", "onnxruntime"], ["--engine=onnxruntime"]])
def test_builds_for_the_engine_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    monkeypatch.setenv("EMOTIONS_ENGINE", "tensorrt")
    with started(tmp_path, 'echo "for $EMOTIONS_ENGINE" >&2', "serve", *option) as process:
        told = process.communicate(timeout=10)[1].splitlines()
    served = f"serve {' '.join(option)}"
    assert told == ["build", "for onnxruntime", served, "for onnxruntime"]


def test_does_not_serve_without_plans(tmp_path: Path) -> None:
    with started(tmp_path, "exit 3", "serve") as process:
        assert process.communicate(timeout=10)[1] == "build\n"
    assert process.returncode == 3


def test_stops_while_it_builds(tmp_path: Path) -> None:
    with started(tmp_path, "exec sleep 2", "serve") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "build\n"
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
        assert time.monotonic() - begun < 1


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that answers `/readyz` with `status`, and its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_is_healthy_when_ready(status: int, healthy: bool) -> None:
    with answering(status) as port:
        proxied = {"EMOTIONS_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        check = [sys.executable, str(ROOT / "docker" / "healthy.py")]
        done = subprocess.run(check, env=os.environ | proxied, timeout=10, check=False)
    assert (done.returncode == 0) is healthy
