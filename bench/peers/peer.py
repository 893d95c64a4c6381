"""The servers that are measured: how they are installed, started, spoken to and stopped."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.forms import as_it_is
from bench.mix import sent
from bench.wire import fetch, request

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-peers"
READY_S, STOP_S = 600.0, 30.0
STARTS = 3
# pytriton's Triton is linked to the Python of Debian 12, and no other one runs its functions.
DEBIANS_PYTHON = "/usr/bin/python3.11"


def as_body(body: bytes) -> bytes:
    """A request with the JPEG as body."""
    return request(body, path="/inference")


def as_json(body: bytes) -> bytes:
    """The JPEG as base64 in JSON, to LitServe."""
    text = json.dumps({"image": base64.b64encode(body).decode()})
    return request(text.encode(), {"content-type": "application/json"}, "/predict")


def as_tensor(body: bytes) -> bytes:
    """The JPEG as a binary tensor after a JSON header, to Triton."""
    tensor = {
        "name": "image",
        "shape": [len(body)],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": len(body)},
    }
    wanted = {"binary_data_output": True}
    head = json.dumps({"parameters": wanted, "inputs": [tensor]}).encode()
    length = {"inference-header-content-length": str(len(head))}
    return request(head + body, length, "/v2/models/emotions/infer")


class Peer(NamedTuple):
    """A server: its module with arguments, what it needs beside our locked packages.

    `instead` replaces locked versions that it does not stand; without a `requirement` it runs in
    our own environment.
    """

    name: str
    module: tuple[str, ...]
    call: Callable[[bytes], bytes]
    requirement: str | None = None
    instead: tuple[str, ...] = ()
    python: str = sys.executable

    @property
    def environment(self) -> Path:
        """Where its environment lies."""
        return ENVIRONMENTS / self.name

    @property
    def interpreter(self) -> Path:
        """The Python that runs it."""
        return self.environment / "bin" / "python" if self.requirement else Path(sys.executable)


PEERS = (
    Peer("emotions", ("offline.cli", "serve", "--port"), lambda body: sent(as_it_is(body))),
    Peer(
        "mosec",
        ("bench.peers.mosec_server", "--timeout", "60000", "--port"),
        as_body,
        "mosec==0.9.8",
    ),
    Peer("litserve", ("bench.peers.litserve_server",), as_json, "litserve==0.2.19"),
    Peer(
        "triton",
        ("bench.peers.triton_server",),
        as_tensor,
        "nvidia-pytriton==0.7.0",
        ("numpy==1.26.4", "opencv-python-headless==4.11.0.86", "protobuf==6.33.6"),
        DEBIANS_PYTHON,
    ),
    Peer("ray-serve", ("bench.peers.ray_server",), as_body, "ray[serve]==2.60.0"),
    Peer("fastapi", ("bench.peers.fastapi_server",), as_body),
)


@contextmanager
def running(
    peer: Peer, port: int, log: Path, probe: bytes, cores: set[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server on the CPUs `cores`, wait until it answers `probe`, and stop it at the end.

    One that ends before it answers is started again: now and then the functions' process of Triton
    finds the socket that it is configured through not open yet.

    Raises:
        RuntimeError: it ended each time, or did not answer in time; the message names its log.
    """
    for _ in range(STARTS):
        with _started(peer, port, log, cores) as process:
            if _answers(peer, process, port, probe):
                yield process
                return
    raise RuntimeError(f"{peer.name} does not answer; see {log}")


@contextmanager
def _started(
    peer: Peer, port: int, log: Path, cores: set[int]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(peer.interpreter), "-m", *peer.module, str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own modules)
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    os.sched_setaffinity(process.pid, cores)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(peer: Peer, process: subprocess.Popen[bytes], port: int, probe: bytes) -> bool:
    """Whether it answers before it ends, or `READY_S` are over."""
    content, deadline = peer.call(probe), time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if fetch(f"http://127.0.0.1:{port}", content).status == 200:
            return True
        time.sleep(0.2)
    return False
