"""A stream runs batches of one network: rows that an engine fails on fail alone."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from analysis.networks import Plan
from analysis.workers.batcher import Batcher, Request
from analysis.workers.channel import Channel, Message, pair, supported
from analysis.workers.child import BEATS, Beats
from analysis.workers.remote import Reply
from analysis.workers.stream import Stream, joined
from engines.types import Array, Engine
from tests.analysis.fakes import FakeRunner, Recorder, StagingRunner, plans
from tests.engines.faulty import (
    BATCHES,
    GO,
    OPENED,
    RAISES,
    WAITS,
    Faulty,
    read,
)

pytestmark = pytest.mark.skipif(not supported(), reason="there are devices on Linux only")
PLANS = plans()
LARGEST = 8
WAIT_S = 30


class Bench:
    """A stream of a network, and workers that wait for it."""

    def __init__(self, engine: Engine, stack: ExitStack, plan: Plan = PLANS.emotion) -> None:
        # One slot: a stream that does not free it after every batch gets no other.
        self.batcher, self._stack = Batcher(LARGEST, threading.Semaphore(1)), stack
        memory = os.memfd_create("beats")
        os.ftruncate(memory, BEATS * 8)
        self.beats = Beats(memory)
        os.close(memory)
        self.stream = Stream(engine, plan, self.batcher)
        self.stream.start(self.beats, 1)
        assert self.stream.opened.wait(WAIT_S)

    def ask(self, *values: int) -> Channel:
        """Queue rows of these values; the worker's end of the channel gets the reply."""
        return self.ask_for(rows(*values))

    def ask_for(self, given: Array) -> Channel:
        ours, theirs = (Channel(end) for end in pair())
        for end in (ours, theirs):
            self._stack.enter_context(closing(end))
        self.batcher.put(Request(given, theirs))
        return ours


def rows(*values: int) -> Array:
    return np.stack([np.full((48, 48), value, np.uint8) for value in values])


def replied(worker: Channel) -> tuple[Reply, Message]:
    message = worker.receive(WAIT_S)
    return msgspec.msgpack.decode(message.note, type=Reply), message


def scores(worker: Channel) -> list[float]:
    """What a worker was told of its rows."""
    reply, message = replied(worker)
    assert reply.error is None, reply.error
    return [round(float(value) * 255) for value in message.arrays["scores"][:, 0]]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(Faulty(str(tmp_path)), stack)


def test_requests_that_wait_are_one_batch_and_each_gets_its_rows(
    bench: Bench, tmp_path: Path
) -> None:
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 2)
    workers = [bench.ask(1, 2), bench.ask(3), bench.ask(4, 5, 6)]
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]
    replies = [replied(worker) for worker in workers]
    batches = [reply.batch for reply, _ in replies]
    assert [batch and batch.rows for batch in batches] == [6, 0, 0], "reported once"
    for batch in batches:
        assert batch is not None
        assert batch.queued <= batch.started <= batch.ended
    told = [np.rint(message.arrays["scores"][:, 0] * 255).tolist() for _, message in replies]
    assert told == [[1, 2], [3], [4, 5, 6]]
    assert read(tmp_path / BATCHES) == ["emotion 1", "emotion 1", "emotion 6"]


def test_only_the_request_at_fault_fails_and_the_runner_is_opened_anew(
    bench: Bench, tmp_path: Path
) -> None:
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 2)
    fine, bad, other = bench.ask(1, 2), bench.ask(3, RAISES), bench.ask(4)
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]
    assert (scores(fine), scores(other)) == ([1, 2], [4])
    reply, message = replied(bad)
    assert reply == Reply(error="a row was not to its taste")
    assert not message.arrays
    assert scores(bench.ask(5)) == [5]
    assert len(read(tmp_path / OPENED)) == 3, "after the batch failed, and the bad request alone"


@pytest.mark.parametrize("taste", [": \udcff", " at all" * 100_000])
def test_an_error_of_any_text_is_reported(bench: Bench, tmp_path: Path, taste: str) -> None:
    (tmp_path / "taste").write_text(taste, errors="surrogateescape")
    reply, _ = replied(bench.ask(RAISES))
    assert reply.error is not None
    assert reply.error.startswith("a row was not to its taste")
    assert scores(bench.ask(1)) == [1]


def test_a_worker_that_is_gone_costs_no_other_its_reply(bench: Bench, tmp_path: Path) -> None:
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 2)
    gone, fine = bench.ask(1), bench.ask(2)
    gone.close()
    (tmp_path / GO).touch()
    assert (scores(first), scores(fine)) == ([WAITS], [2])
    assert len(read(tmp_path / OPENED)) == 1


def test_a_stream_shows_since_when_it_runs_a_batch(bench: Bench, tmp_path: Path) -> None:
    until(lambda: bench.beats.oldest() == float("inf"))
    before = time.monotonic()
    first = bench.ask(WAITS)
    until(lambda: bench.beats.oldest() < float("inf"))
    assert before <= bench.beats.oldest() <= time.monotonic()
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]
    until(lambda: bench.beats.oldest() == float("inf"))


ENDS = """
import sys, time
from pathlib import Path
from tests.analysis.workers.test_stream import Bench, ExitStack
from tests.engines.faulty import DAMAGED, RAISES, Faulty
folder = sys.argv[1]
with ExitStack() as stack:
    bench = Bench(Faulty(folder), stack)
    Path(folder, DAMAGED).touch()
    bench.ask(RAISES)
    time.sleep(100)
"""


def test_a_runner_that_cannot_be_opened_ends_the_process(tmp_path: Path) -> None:
    """So that the service starts another, with pauses, and logs advice."""
    command = [sys.executable, "-c", ENDS, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "emotion-fer48 is damaged" in ended.stderr


def test_a_runner_with_memory_gets_its_rows_there() -> None:
    parts = [rows(1, 2), rows(3)]
    staging, plain = StagingRunner("emotion", Recorder()), FakeRunner("emotion", Recorder())
    batch = joined(staging, parts)
    assert batch is staging.staged
    np.testing.assert_array_equal(batch, joined(plain, parts))
    alone = rows(4)
    assert joined(plain, [alone]) is alone, "there is nothing to join"
    np.testing.assert_array_equal(joined(staging, [alone]), alone)
