"""A device process decodes the JPEGs of all workers in batches; its faults cost no image."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
import pytest

from analysis.decode import decode
from analysis.jpegs.nvimagecodec import installed
from analysis.timing import Batch
from analysis.workers.channel import supported
from analysis.workers.handles import ProcessDevice, ProcessWorker
from analysis.workers.messages import Setup
from analysis.workers.pool import Pool
from analysis.workers.remote import JPEGS, DeviceClient, connect
from analysis.workers.remote_jpegs import RemoteJpegDecoder
from analysis.workers.sockets import address, listen
from analysis.workers.types import Group, Worker
from engines.errors import RunnerLostError
from engines.types import Array
from tests.analysis.jpegs.decoders import DIES, FULL, HANGS, MISSING, RAISES, WAITS
from tests.analysis.jpegs.files import sampled
from tests.analysis.pictures import LIMITS
from tests.analysis.workers.processes import (
    LIMIT_S,
    WAIT_S,
    LoopInThread,
    setup,
    started,
    submit,
    turning,
    value_of,
)
from tests.engines.faulty import BATCHES, GO, OPENED, read
from tests.photographs import encode
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    not (supported() and installed()), reason="devices and nvImageCodec are for Linux"
)
SIDE = 256
Outputs = tuple[dict[str, Array], Batch]


def grey(value: int, side: int = SIDE) -> bytes:
    """A JPEG whose pixels all have this value."""
    return encode(np.full((side, side, 3), value, np.uint8), "JPEG", quality=95)


class Served:
    """A device process with the decoder `Faulty`, and workers if a test starts any."""

    def __init__(self, folder: Path, stack: ExitStack, loop: LoopInThread, limit_s: float) -> None:
        self.folder, self._stack, self.loop = folder, stack, loop
        self._listener = listen()
        name = f"tests.analysis.jpegs.decoders:Faulty:{folder}"
        self._setup = msgspec.structs.replace(setup(folder), jpeg_decoder=name)
        self._limit_s, self._threads = limit_s, stack.enter_context(ThreadPoolExecutor(32))

    def start(self, workers: int = 0) -> Pool:
        group = Group(ProcessDevice(self._setup, self._listener))
        group.workers = [Worker(ProcessWorker(self._of_worker()), group) for _ in range(workers)]
        pool = Pool([group], images_per_worker=1, limit_s=self._limit_s)
        return self._stack.enter_context(started(pool, self.loop))

    def _of_worker(self) -> Setup:
        return msgspec.structs.replace(self._setup, device=address(self._listener))

    def connect(self) -> DeviceClient:
        device = connect(address(self._listener), lambda: None, (JPEGS,))
        return self._stack.enter_context(device)

    def send(self, data: bytes, side: int = SIDE) -> "Future[Outputs]":
        """Send a JPEG over a new connection, as another worker does."""
        device = self.connect()
        device.send(JPEGS, np.frombuffer(data, np.uint8)[None], side * side)
        return self._threads.submit(device.receive, JPEGS)

    def batches(self) -> list[int]:
        """Images of each batch that the decoder has begun, except the probes at its start."""
        lines = [line.split() for line in read(self.folder / BATCHES)]
        counts = [int(count) for network, count in lines if network == JPEGS]
        return counts[2:]


@pytest.fixture
def idle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    limit_s = getattr(request, "param", WAIT_S)
    with turning() as loop, ExitStack() as stack:
        yield Served(tmp_path, stack, loop, limit_s)
        (tmp_path / GO).touch()


@pytest.fixture
def served(idle: Served) -> Served:
    idle.start()
    return idle


def value_in(answer: "Future[Outputs]") -> int:
    outputs, _ = answer.result(WAIT_S)
    return round(float(outputs["pixels"].mean()))


def occupy(served: Served) -> "list[Future[Outputs]]":
    """Keep both threads of the decoder busy until `GO` is there."""
    begun, busy = len(served.batches()), []
    for _ in range(2):
        busy.append(served.send(grey(WAITS)))
        begun += 1
        until(lambda begun=begun: len(served.batches()) == begun)  # type: ignore[misc]
    return busy


def read_by_now(served: Served) -> None:
    """Wait until the device has read all earlier messages: it reads and accepts in turns."""
    for _ in range(2):
        served.connect()


def test_pixels_come_back_as_the_cpu_decodes_them(served: Served) -> None:
    device = RemoteJpegDecoder(served.connect())
    for sampling, size in (("420", (640, 427)), ("Gray", (161, 333)), ("444", (321, 243))):
        data = sampled(sampling, size)
        pixels = device.decode(data, *size)
        assert pixels is not None
        assert np.abs(pixels.astype(int) - decode(data, LIMITS)).max() <= 3
    batches = device.take_batches()
    assert [(batch.network, batch.rows) for batch in batches] == [(JPEGS, 1)] * 3
    assert device.take_batches() == []


def test_waiting_images_of_all_workers_are_one_batch(served: Served) -> None:
    busy = occupy(served)
    answers = [served.send(grey(value)) for value in (10, 20, 30, 40, 50)]
    read_by_now(served)
    (served.folder / GO).touch()
    assert [value_in(each) for each in busy] == [WAITS, WAITS]
    assert [value_in(each) for each in answers] == [10, 20, 30, 40, 50]
    assert served.batches() == [1, 1, 5]
    reported = [answer.result()[1].rows for answer in answers]
    assert sorted(reported) == [0, 0, 0, 0, 5], "to only one of the workers"


def test_an_image_that_it_declines_costs_nothing_else(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    device = RemoteJpegDecoder(served.connect())
    assert device.decode(b"not an image", SIDE, SIDE) is None
    for _ in range(9):
        assert device.decode(grey(RAISES), SIDE, SIDE) is None
    until(lambda: "workers decode" in caplog.text)
    assert caplog.text.count("workers decode") <= 2, "at most once per thread"
    pixels = device.decode(grey(7), SIDE, SIDE)
    assert pixels is not None
    assert round(float(pixels.mean())) == 7


@pytest.mark.parametrize(("idle", "fault"), [(WAIT_S, DIES), (LIMIT_S, HANGS)], indirect=["idle"])
def test_a_decoder_that_ends_its_process_is_replaced(served: Served, fault: int) -> None:
    with pytest.raises(RunnerLostError):
        served.send(grey(fault)).result(WAIT_S)
    assert value_in(served.send(grey(9))) == 9


def test_workers_wait_for_a_decoder_that_cannot_be_opened_yet(
    idle: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not left out in silence."""
    (idle.folder / MISSING).touch()
    idle.start()
    until(lambda: "cannot be used: no decoder today" in caplog.text)
    assert "Traceback" not in caplog.text
    (idle.folder / MISSING).unlink()
    assert value_in(idle.send(grey(5))) == 5


def test_workers_decode_while_there_is_no_memory_for_the_decoder(
    idle: Served, caplog: pytest.LogCaptureFixture
) -> None:
    (idle.folder / FULL).touch()
    pool = idle.start(workers=1)
    assert value_of(submit(pool, idle.loop, grey(5)).get(timeout=WAIT_S)) == 5
    until(lambda: caplog.text.count("workers decode meanwhile: no memory today") == 2)
    assert len({line.split()[0] for line in read(idle.folder / OPENED)}) == 1


@pytest.mark.parametrize(
    ("idle", "fault"),
    [(WAIT_S, RAISES), (WAIT_S, DIES), (LIMIT_S, HANGS)],
    indirect=["idle"],
)
def test_no_fault_of_the_decoder_costs_an_image(idle: Served, fault: int) -> None:
    """The CPU decodes it, at once or after the device has ended."""
    pool = idle.start(workers=2)
    outcomes = [submit(pool, idle.loop, grey(value)) for value in (fault, 5)]
    assert [value_of(each.get(timeout=WAIT_S)) for each in outcomes] == [fault, 5]
    assert len({line.split()[0] for line in read(idle.folder / OPENED)}) == 1 + (fault != RAISES)
    assert value_of(submit(pool, idle.loop, grey(6)).get(timeout=WAIT_S)) == 6
    assert sum(idle.batches()) >= 2, "the GPU decodes the others"
