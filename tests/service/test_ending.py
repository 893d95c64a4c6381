"""The end of a real server: by signals, under load, and with processes that hang."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.server import serving
from tests.service.hurried import END_S
from tests.service.load import PATIENCE_S, PLAIN, accepted, all_stopped, processes, until
from tests.service.topologies import Topology, environment, everywhere

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are processes of their own on Linux only"
)

HUNG = 4
INSTANT = "bench.fakes:instant:1"
# Each batch takes so many milliseconds: long enough to signal the processes in the middle.
SLOW = "bench.fakes:simulated:60,0,1"


@everywhere
async def test_sigterm_under_load_answers_what_was_accepted(
    plans: Path, topology: Topology
) -> None:
    """Also when the processes die while the service drains, and to a whole process group."""
    with serving(
        plans, engine=SLOW, deadline_s="120", workers="2", **environment(topology)
    ) as server:
        started = processes(server)
        async with accepted(server):
            for pid in started:
                os.kill(pid, signal.SIGTERM)
            server.process.send_signal(signal.SIGTERM)
            for pid in started:
                os.kill(pid, signal.SIGKILL)
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
@everywhere
async def test_no_process_outlives_the_service(
    plans: Path, topology: Topology, ending: signal.Signals
) -> None:
    """Not even a process that is stopped. SIGTERM is sent twice, which ends the service at once."""
    with (
        serving(
            plans,
            engine=INSTANT,
            module="tests.service.hurried",
            workers="2",
            **environment(topology),
        ) as server,
        all_stopped(server) as started,
    ):
        assert len(started) == (3 if topology == "device" else 2)
        server.process.send_signal(ending)
        server.process.send_signal(ending)
        server.process.wait(PATIENCE_S)
        await until(lambda: all(ended(pid) for pid in started))


@everywhere
async def test_processes_that_hang_are_ended_all_at_once(plans: Path, topology: Topology) -> None:
    """One after the other would take longer than the test allows."""
    with (
        serving(
            plans,
            engine=INSTANT,
            module="tests.service.hurried",
            workers=str(HUNG),
            **environment(topology),
        ) as server,
        all_stopped(server) as started,
    ):
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
            files = [("images", (str(i), PLAIN)) for i in range(4 * HUNG)]
            headers = {"x-request-deadline-ms": "300"}
            answer = await http.post("/v1/emotions", files=files, headers=headers)
            assert answer.json()["code"] == "deadline_exceeded"
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, HUNG * END_S - END_S) == 0
        assert all(ended(pid) for pid in started)
    assert "Traceback" not in server.log.read_text()


def ended(pid: int) -> bool:
    """Return whether a process has ended; its parent may not have waited for it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0])
def test_sigterm_counts_from_the_start(plans: Path, seconds: float) -> None:
    with serving(plans, engine=INSTANT, started=False) as server:
        await_caught(server.process.pid)
        time.sleep(seconds)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (value,) = [line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")]
    return value


@pytest.mark.parametrize(("command", "code"), [("serve", 0), ("build", 128 + signal.SIGTERM)])
def test_sigterm_counts_for_process_1(plans: Path, command: str, code: int) -> None:
    """The kernel delivers only signals that process 1 handles."""
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], check=False).returncode
    ):
        pytest.skip("this user may not make a namespace of processes")
    environment = os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_PORT": "0"}
    outside = subprocess.Popen(
        [*unshare, sys.executable, "-m", "offline.cli", command],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    while not (first := children.read_text().split()):
        time.sleep(0.001)
    await_caught(int(first[0]))
    os.kill(int(first[0]), signal.SIGTERM)
    assert outside.wait(PATIENCE_S) == code


def await_caught(pid: int) -> None:
    """Wait until a process has a handler for SIGTERM."""
    caught = 1 << (signal.SIGTERM - 1)
    while not int(status(pid, "SigCgt"), 16) & caught:
        time.sleep(0.001)
