"""The servers to measure: how to install, start, call and stop them."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.inputs.forms import as_it_is
from bench.load.client import fetch, request
from bench.load.mix import post

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "service.txt"
READY_S, STOP_S, STARTS = 600.0, 30.0, 3
# The Triton of pytriton is linked to the Python of Debian 12; no other Python runs its functions.
DEBIANS_PYTHON = "/usr/bin/python3.11"


def as_body(body: bytes) -> bytes:
    """A request with the JPEG as body."""
    return request(body, path="/inference")


def as_json(body: bytes) -> bytes:
    """A request to LitServe: the JPEG as base64 in JSON."""
    text = json.dumps({"image": base64.b64encode(body).decode()})
    return request(text.encode(), {"content-type": "application/json"}, "/predict")


def as_tensor(body: bytes) -> bytes:
    """A request to Triton: a JSON header, then the JPEG as a binary tensor."""
    size = {"binary_data_size": len(body)}
    tensor = {"name": "image", "shape": [len(body)], "datatype": "UINT8", "parameters": size}
    head = json.dumps({"parameters": {"binary_data_output": True}, "inputs": [tensor]}).encode()
    length = {"inference-header-content-length": str(len(head))}
    return request(head + body, length, "/v2/models/emotions/infer")


class Peer(NamedTuple):
    """A server: its module with arguments, how to call it, and what it needs.

    `requirement` is installed beside this project's locked packages into an environment of its own;
    without one the server runs in this environment. `instead` replaces locked versions that the
    server does not work with; `variables` are those of its environment.
    """

    name: str
    module: tuple[str, ...]
    call: Callable[[bytes], bytes]
    requirement: str | None = None
    instead: tuple[str, ...] = ()
    python: str = sys.executable
    variables: Mapping[str, str] = {}

    @property
    def environment(self) -> Path:
        """The folder of its environment."""
        return ROOT / ".venv-peers" / self.name

    @property
    def interpreter(self) -> str:
        """The Python that runs it."""
        return str(self.environment / "bin" / "python") if self.requirement else sys.executable


# Ray listens on this machine only, and gets time to start on a busy one.
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_raylet_start_wait_time_s": "60",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
}
MOSEC = ("bench.peers.mosec_server", "--timeout", "60000", "--port")
TRITON = ("bench.peers.triton_server",)
OLDER = ("numpy==1.26.4", "opencv-python-headless==4.11.0.86", "protobuf==6.33.6")
PEERS = (
    Peer("emotions", ("offline.cli", "serve", "--port"), lambda body: post(as_it_is(body))),
    Peer("mosec", MOSEC, as_body, "mosec==0.9.8"),
    Peer("litserve", ("bench.peers.litserve_server",), as_json, "litserve==0.2.19"),
    Peer("triton", TRITON, as_tensor, "nvidia-pytriton==0.7.0", OLDER, DEBIANS_PYTHON),
    Peer("ray-serve", ("bench.peers.ray_server",), as_body, "ray[serve]==2.60.0", variables=RAY),
    Peer("fastapi", ("bench.peers.fastapi_server",), as_body),
)


def set_up(peers: Sequence[Peer]) -> None:
    """Make the environments of `peers`; one that fails leaves the others alone."""
    failed = [peer.name for peer in peers if peer.requirement and not _installed(peer)]
    if failed:
        raise SystemExit(f"not set up: {', '.join(failed)}")


def _installed(peer: Peer) -> bool:
    print(f"{peer.name}: {peer.requirement} in {peer.environment}", flush=True)
    uv, folder = Path(sys.executable).with_name("uv"), str(peer.environment)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as instead:
        instead.write("\n".join(peer.instead))
        instead.flush()
        packages = ["-r", str(LOCK), str(peer.requirement), "--override", instead.name]
        steps = (
            ["venv", "--allow-existing", "--python", peer.python, folder],
            ["pip", "install", "--python", folder, *packages],
        )
        commands = ([str(uv), *step, "--quiet"] for step in steps)
        return all(subprocess.run(each, check=False).returncode == 0 for each in commands)  # noqa: S603


@contextmanager
def running(
    peer: Peer, port: int, log: Path, probe: bytes, cores: set[int]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server on the CPUs `cores`, from its first answer to `probe` until the block ends.

    A server that ends before it answers is started again: sometimes Triton's process for functions
    starts before the socket that configures it.

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
) -> Iterator["subprocess.Popen[bytes]"]:
    given = {"PYTHONPATH": str(ROOT), **peer.variables}
    environment = os.environ | given  # noqa: TID251  (for the server)
    command = [peer.interpreter, "-m", *peer.module, str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (modules of this project)
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


def _answers(peer: Peer, process: "subprocess.Popen[bytes]", port: int, probe: bytes) -> bool:
    """Whether the server answers before it ends, and within `READY_S`."""
    content, deadline = peer.call(probe), time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if fetch(f"http://127.0.0.1:{port}", content).status == 200:
            return True
        time.sleep(0.2)
    return False
