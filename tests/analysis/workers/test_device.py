"""A device process merges the rows of all workers into batches, and outlives each of them."""

import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import pytest

from analysis.timing import Batch
from analysis.workers.channel import Channel, supported
from analysis.workers.handles import ProcessDevice
from analysis.workers.pool import Pool
from analysis.workers.remote import Call, DeviceClient, RemoteRunner, connect
from analysis.workers.sockets import address, listen
from analysis.workers.types import Group
from engines.errors import RunnerError, RunnerLostError
from engines.types import Array
from tests.analysis.fakes import plans
from tests.analysis.workers.processes import (
    LIMIT_S,
    WAIT_S,
    LoopInThread,
    setup,
    started,
    turning,
)
from tests.engines.faulty import (
    BATCHES,
    DAMAGED,
    DIES,
    GO,
    HANGS,
    OPENED,
    RAISES,
    WAITS,
    read,
)
from tests.waiting import until

pytestmark = pytest.mark.skipif(not supported(), reason="there are devices on Linux only")


class Served:
    """A device process, and connections to it as workers have them."""

    def __init__(self, folder: Path, stack: ExitStack, loop: LoopInThread, limit_s: float) -> None:
        self.folder, self._stack = folder, stack
        listener = listen()
        self.address = address(listener)
        device = ProcessDevice(setup(folder, plans(faces=64)), listener)
        self.pool = Pool([Group(device)], images_per_worker=1, limit_s=limit_s)
        self._loop = loop
        self._threads = stack.enter_context(ThreadPoolExecutor(32))
        self.beats = 0

    def start(self) -> None:
        self._stack.enter_context(started(self.pool, self._loop))

    def connect(self) -> DeviceClient:
        return self._stack.enter_context(connect(self.address, self._beat, ("emotion",)))

    def _beat(self) -> None:
        self.beats += 1

    def send(self, device: DeviceClient, *values: int) -> "Future[Outputs]":
        """Send rows of these values to the emotion network, as a worker does."""
        device.send("emotion", rows(*values))
        return self.later(lambda: device.receive("emotion"))

    @property
    def pid(self) -> int:
        return int(read(self.folder / OPENED)[-1].split()[0])

    def batches(self) -> list[int]:
        """Rows of the batches that the emotion network has begun."""
        lines = [line.split() for line in read(self.folder / BATCHES)]
        return [int(count) for task, count in lines if task == "emotion"]

    def until_begun(self, batches: int) -> None:
        until(lambda: len(self.batches()) == batches)

    def later(self, call: "Callable[[], Value]") -> "Future[Value]":
        return self._threads.submit(call)


Value = TypeVar("Value")
Outputs = tuple[dict[str, Array], Batch]


def rows(*values: int) -> Array:
    return np.stack([np.full((48, 48), value, np.uint8) for value in values])


def values_of(answer: "Future[Outputs]") -> list[int]:
    outputs, _ = answer.result(WAIT_S)
    return [round(float(value) * 255) for value in outputs["scores"][:, 0]]


@pytest.fixture
def idle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A device that has not been started yet; it hangs after the time that the test names."""
    limit_s = getattr(request, "param", WAIT_S)
    with turning() as loop, ExitStack() as stack:
        yield Served(tmp_path, stack, loop, limit_s)
        (tmp_path / GO).touch()


@pytest.fixture
def served(idle: Served) -> Served:
    idle.start()
    return idle


def occupy(served: Served) -> "list[Future[Outputs]]":
    """Keep both streams of the emotion network, and so all slots, busy until `GO` is there."""
    workers = [served.connect(), served.connect()]
    begun, busy = len(served.batches()), []
    for worker in workers:
        busy.append(served.send(worker, WAITS))
        begun += 1
        served.until_begun(begun)
    return busy


def read_by_now(served: Served) -> None:
    """Wait until the device has read all earlier messages: it reads and accepts in turns."""
    for _ in range(2):
        served.connect()


def test_waiting_rows_are_one_batch_and_each_worker_gets_its_own_outputs(served: Served) -> None:
    busy = occupy(served)
    values = [(1, 2), (3,), (4, 5, 6), (7,)]
    answers = [served.send(served.connect(), *each) for each in values]
    read_by_now(served)
    (served.folder / GO).touch()
    assert [values_of(answer) for answer in busy] == [[WAITS]] * 2
    assert [values_of(answer) for answer in answers] == [list(each) for each in values]
    assert served.batches()[-1] == 7
    reported = [answer.result()[1] for answer in answers]
    assert sorted(batch.rows for batch in reported) == [0, 0, 0, 7], "reported once"
    assert {batch.network for batch in reported} == {"emotion"}


def test_a_lone_worker_does_not_wait_for_others(served: Served) -> None:
    device = served.connect()
    for value in range(5):
        assert values_of(served.send(device, value)) == [value]
    assert served.batches()[-5:] == [1] * 5


def test_only_the_worker_whose_rows_fail_gets_an_error(served: Served) -> None:
    busy = occupy(served)
    workers = [served.connect() for _ in range(3)]
    bad = served.send(workers[0], 1, RAISES)
    fine = [served.send(workers[1], 2), served.send(workers[2], 3)]
    read_by_now(served)
    (served.folder / GO).touch()
    with pytest.raises(RunnerError, match="a row was not to its taste") as raised:
        bad.result(WAIT_S)
    assert not isinstance(raised.value, RunnerLostError)
    assert [values_of(answer) for answer in (*busy, *fine)] == [[WAITS], [WAITS], [2], [3]]
    assert values_of(served.send(workers[0], 4)) == [4], "the connection is still good"


@pytest.mark.parametrize(("idle", "fault"), [(WAIT_S, DIES), (LIMIT_S, HANGS)], indirect=["idle"])
def test_workers_of_a_device_that_ends_get_an_error_and_connect_to_the_next(
    served: Served, fault: int
) -> None:
    one, other = served.connect(), served.connect()
    before = served.pid
    assert not one.ended()
    waiting = served.send(other, WAITS)
    served.until_begun(3)
    for answer in (served.send(one, fault), waiting):
        with pytest.raises(RunnerLostError):
            answer.result(WAIT_S)
    assert one.ended()
    assert other.ended()
    with pytest.raises(RunnerLostError):
        one.send("emotion", rows(1))
    assert values_of(served.send(served.connect(), 9)) == [9]
    assert served.pid != before


@pytest.mark.parametrize("spare", range(4))
def test_a_device_without_descriptors_leaves_no_worker_waiting(served: Served, spare: int) -> None:
    worker = served.connect()
    open_now = max(int(path.name) for path in Path(f"/proc/{served.pid}/fd").iterdir())
    _, most = resource.prlimit(served.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(served.pid, resource.RLIMIT_NOFILE, (open_now + 1 + spare, most))
    try:
        answer = served.send(worker, 7)
        with suppress(RunnerLostError):
            assert values_of(answer) == [7]
    finally:
        resource.prlimit(served.pid, resource.RLIMIT_NOFILE, (most, most))
    assert values_of(served.send(served.connect(), 8)) == [8]


def test_waiting_workers_have_heartbeats(served: Served) -> None:
    """Without heartbeats they would be killed while others keep the device busy."""
    device = served.connect()
    answer = served.send(device, WAITS)
    before = served.beats
    until(lambda: served.beats >= before + 2)
    (served.folder / GO).touch()
    assert values_of(answer) == [WAITS]


def test_workers_that_die_do_not_affect_others(served: Served) -> None:
    """Whether they have sent rows, or have just connected."""
    busy = occupy(served)
    ending, stays = raw(served), served.connect()
    ending.receive(WAIT_S)
    ending.send(msgspec.msgpack.encode(Call("emotion")), {"rows": rows(1)})
    answer = served.send(stays, 2)
    read_by_now(served)
    ending.close()
    for _ in range(5):
        raw(served).close()
    (served.folder / GO).touch()
    assert [values_of(each) for each in (*busy, answer)] == [[WAITS], [WAITS], [2]]
    assert values_of(served.send(stays, 3)) == [3]
    assert opened_once(served)


def opened_once(served: Served) -> bool:
    """Whether it is still the first process."""
    return len({line.split()[0] for line in read(served.folder / OPENED)}) == 1


def raw(served: Served) -> Channel:
    """A connection from which nothing has been received."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect("\0" + served.address)
    return Channel(connection)


def test_a_worker_that_died_before_the_device_was_ready_does_not_affect_it(idle: Served) -> None:
    raw(idle).close()
    idle.start()
    assert values_of(idle.send(idle.connect(), 5)) == [5]
    assert opened_once(idle)


def test_workers_wait_for_a_device_that_cannot_open_its_networks_yet(idle: Served) -> None:
    (idle.folder / DAMAGED).touch()
    idle.start()
    waiting = idle.later(idle.connect)
    until(lambda: len({line.split()[0] for line in read(idle.folder / OPENED)}) >= 2)
    assert not waiting.done()
    (idle.folder / DAMAGED).unlink()
    assert values_of(idle.send(waiting.result(WAIT_S), 5)) == [5]


STRANGER = """
use Socket;
socket(my $connection, AF_UNIX, SOCK_SEQPACKET, 0) or die $!;
connect($connection, pack("S", AF_UNIX) . "\\0" . $ARGV[0]) or die $!;
print sysread($connection, my $bytes, 100);
"""


@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("perl"), reason="needs root, and a program for anybody"
)
def test_processes_of_other_users_are_rejected(served: Served) -> None:
    command = ["perl", "-e", STRANGER, served.address]
    served.connect()
    ended = subprocess.run(
        command, user=65534, capture_output=True, text=True, timeout=60, check=False, cwd="/"
    )
    assert ended.stdout == "0", ended.stderr
    assert values_of(served.send(served.connect(), 1)) == [1]


def test_a_remote_runner_reports_its_batches(served: Served) -> None:
    device = served.connect()
    runner: RemoteRunner = device.runner("emotion")
    staged = runner.input_buffer((3, 48, 48), np.dtype(np.uint8))
    staged[:] = np.array([1, 2, 3], np.uint8)[:, None, None]
    with runner:
        outputs = runner.infer({"faces": staged})
    assert np.rint(outputs["scores"][:, 0] * 255).tolist() == [1, 2, 3]
    (batch,) = runner.take_batches()
    assert (batch.network, batch.rows) == ("emotion", 3)
    assert batch.queued <= batch.started <= batch.ended
    assert runner.take_batches() == []
    again = runner.infer({"faces": np.full((1, 48, 48), 9, np.uint8)})
    assert np.rint(outputs["scores"][:, 0] * 255).tolist() == [1, 2, 3], "outputs are the caller's"
    assert np.rint(again["scores"][:, 0] * 255).tolist() == [9]
