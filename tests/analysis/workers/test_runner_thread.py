"""A stream runs batches of one network: rows that an engine fails on fail alone."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.workers.channel import supported
from analysis.workers.heartbeats import OPEN_LIMIT_S
from analysis.workers.opening import Opening
from analysis.workers.remote import Reply
from analysis.workers.runner_thread import join_rows
from engines.catalog import ModelSpec
from engines.errors import GpuMemoryError
from engines.memory import RESERVE, Budget
from tests.analysis.fakes import BufferedRunner, FakeRunner, Recorder
from tests.analysis.workers.runner_threads import Bench, receive_reply, rows, scores
from tests.engines.faulty import (
    BATCHES,
    BLOCKED,
    GO,
    OPENED,
    RAISES,
    WAITS,
    Faulty,
    read,
)
from tests.waiting import until

pytestmark = pytest.mark.skipif(not supported(), reason="there are devices on Linux only")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(Faulty(str(tmp_path)), stack)


def test_waiting_requests_are_one_batch_and_each_gets_its_own_outputs(
    bench: Bench, tmp_path: Path
) -> None:
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 2)
    workers = [bench.ask(1, 2), bench.ask(3), bench.ask(4, 5, 6)]
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]
    replies = [receive_reply(worker) for worker in workers]
    batches = [reply.batch for reply, _ in replies]
    assert [batch and batch.rows for batch in batches] == [6, 0, 0], "reported once"
    for batch in batches:
        assert batch is not None
        assert batch.queued <= batch.started <= batch.ended
    received = [np.rint(message.arrays["scores"][:, 0] * 255).tolist() for _, message in replies]
    assert received == [[1, 2], [3], [4, 5, 6]]
    assert read(tmp_path / BATCHES) == ["emotion 1", "emotion 1", "emotion 6"]


def test_only_the_request_at_fault_fails_and_the_runner_is_opened_again(
    bench: Bench, tmp_path: Path
) -> None:
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 2)
    fine, bad, other = bench.ask(1, 2), bench.ask(3, RAISES), bench.ask(4)
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]
    assert (scores(fine), scores(other)) == ([1, 2], [4])
    reply, message = receive_reply(bad)
    assert reply == Reply(error="a row was not to its taste")
    assert not message.arrays
    assert scores(bench.ask(5)) == [5]
    assert len(read(tmp_path / OPENED)) == 3, "after the batch failed, and the bad request alone"


@pytest.mark.parametrize("taste", [": \udcff", " at all" * 100_000])
def test_an_error_of_any_text_is_reported(bench: Bench, tmp_path: Path, taste: str) -> None:
    (tmp_path / "taste").write_text(taste, errors="surrogateescape")
    reply, _ = receive_reply(bench.ask(RAISES))
    assert reply.error is not None
    assert reply.error.startswith("a row was not to its taste")
    assert scores(bench.ask(1)) == [1]


def test_a_worker_that_has_ended_does_not_affect_the_replies_to_others(
    bench: Bench, tmp_path: Path
) -> None:
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 2)
    ending, fine = bench.ask(1), bench.ask(2)
    ending.close()
    (tmp_path / GO).touch()
    assert (scores(first), scores(fine)) == ([WAITS], [2])
    assert len(read(tmp_path / OPENED)) == 1


def test_the_heartbeat_of_a_stream_is_when_its_batch_began(bench: Bench, tmp_path: Path) -> None:
    until(lambda: bench.beats.oldest() == float("inf"))
    before = time.monotonic()
    first = bench.ask(WAITS)
    until(lambda: bench.beats.oldest() < float("inf"))
    assert before <= bench.beats.oldest() <= time.monotonic()
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]
    until(lambda: bench.beats.oldest() == float("inf"))


def test_a_runner_that_opens_again_has_as_much_time_as_at_the_start(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / BLOCKED).touch()
    worker = bench.ask(RAISES)
    until(lambda: len(read(tmp_path / OPENED)) == 2)
    before = time.monotonic()
    assert before < bench.beats.oldest() <= before + OPEN_LIMIT_S
    (tmp_path / BLOCKED).unlink()
    assert receive_reply(worker)[0].error is not None
    first = bench.ask(WAITS)
    until(lambda: len(read(tmp_path / BATCHES)) == 6)
    assert bench.beats.oldest() <= time.monotonic(), "a batch has the usual limit"
    (tmp_path / GO).touch()
    assert scores(first) == [WAITS]


class Waiting(Faulty):
    """Opens runners in turn, as engines do whose runners share a budget."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.budget = Budget()

    def open(self, plan: Path, spec: ModelSpec) -> Any:
        with self.budget.reserve([0], lambda: RESERVE):
            return super().open(plan, spec)


def test_a_runner_that_waited_for_others_has_its_time_from_its_turn_on(tmp_path: Path) -> None:
    engine = Waiting(str(tmp_path))
    (tmp_path / BLOCKED).touch()
    with ExitStack() as stack:
        with engine.budget.reserve([0], lambda: RESERVE):
            bench = Bench(engine, stack, opening=Opening(1))
            until(lambda: bench.beats.oldest() < float("inf"))
            turn = time.monotonic()
        until(lambda: bool(read(tmp_path / OPENED)))
        assert bench.beats.oldest() >= turn + OPEN_LIMIT_S
        (tmp_path / BLOCKED).unlink()
        bench.wait()


class Short(Faulty):
    """Has memory for the two smallest batch sizes, the second time only for one."""

    sizes = 2

    def open(self, plan: Path, spec: ModelSpec) -> Any:
        if len(spec.batches) > self.sizes:
            raise GpuMemoryError("too little GPU memory")
        return super().open(plan, spec)


def test_a_runner_opens_with_the_batch_sizes_that_fit(tmp_path: Path) -> None:
    engine = Short(str(tmp_path))
    with ExitStack() as stack:
        bench = Bench(engine, stack)
        assert scores(bench.ask(1, 2)) == [1, 2]
        engine.sizes = 1
        reply, _ = receive_reply(bench.ask(RAISES))
        assert reply.error == "a row was not to its taste"
        assert scores(bench.ask(3)) == [3]
    assert len(read(tmp_path / OPENED)) == 3


ENDS = """
import sys, time
from pathlib import Path
from contextlib import ExitStack
from tests.analysis.workers.runner_threads import Bench
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


def test_a_runner_with_memory_of_its_own_gets_its_rows_in_it() -> None:
    parts = [rows(1, 2), rows(3)]
    staging, plain = BufferedRunner("emotion", Recorder()), FakeRunner("emotion", Recorder())
    batch = join_rows(staging, parts)
    assert batch is staging.staged
    np.testing.assert_array_equal(batch, join_rows(plain, parts))
    alone = rows(4)
    assert join_rows(plain, [alone]) is alone, "there is nothing to join"
    np.testing.assert_array_equal(join_rows(staging, [alone]), alone)
