"""Runners in a process of their own: what they answer, and what happens when it ends."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engines import build
from engines.catalog import Catalog, ModelSpec
from engines.errors import (
    EngineError,
    PlanDamaged,
    RunnerError,
    RunnerHung,
    RunnerInterrupted,
    RunnerLost,
)
from engines.onnxruntime import OnnxRuntime
from engines.runner import Array, Engine, stacked
from engines.verify import probe
from engines.worker import channel, process, remote
from engines.worker.channel import Channel
from engines.worker.process import Worker
from tests.engines import tensorrt_worker
from tests.engines.faulty import DAMAGED, DEADLY, DIES, HANGS, RAISES

pytestmark = pytest.mark.skipif(not channel.supported(), reason="there are workers on Linux only")
SPEC = Catalog.load().get("emotion-fer48")
PLAN = Path("plan")
FAULTY = [sys.executable, "-m", "tests.engines.faulty"]
FINE = {"items": np.array([1, 2, 3], np.uint8)}


class Events:
    """What a worker has told."""

    def __init__(self) -> None:
        self.restarts: list[str] = []
        self.losses = 0

    def lost(self) -> None:
        self.losses += 1


@contextmanager
def working(
    command: list[str], limit_s: float = 60, events: Events | None = None
) -> Iterator[Worker]:
    events = events or Events()
    worker = Worker(command, limit_s=limit_s, restarted=events.restarts.append)
    worker.start(events.lost)
    with closing(worker):
        yield worker


Channels = tuple[Channel, Channel]


@pytest.fixture
def channels() -> Iterator[Channels]:
    with pair() as both:
        yield both


@contextmanager
def pair() -> Iterator[Channels]:
    ours, theirs = (Channel(end) for end in channel.pair())
    with closing(ours), closing(theirs):
        yield ours, theirs


ANY_ARRAYS = st.lists(
    st.dictionaries(
        st.text(max_size=5),
        arrays.arrays(
            st.sampled_from(["u1", "f4", "f2", "i8", "?"]),
            arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20),
        ),
        max_size=4,
    ),
    max_size=5,
)


@given(ANY_ARRAYS)
def test_whatever_is_sent_arrives_to_the_last_bit(messages: list[dict[str, Array]]) -> None:
    with pair() as (ours, theirs):
        for sent in messages:
            for one, other in ((ours, theirs), (theirs, ours)):
                one.send(sent)
                got = other.receive()
                assert list(got) == list(sent)
                for name, array in sent.items():
                    assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape)
                    assert got[name].tobytes() == array.tobytes()


def test_a_staged_array_arrives_also_when_memory_grows(channels: Channels) -> None:
    ours, theirs = channels
    for rows in (1, 3, 2, 50):
        staged = ours.stage((rows, 7), np.dtype(np.uint8))
        staged[:] = rows
        ours.send({"items": staged})
        np.testing.assert_array_equal(theirs.receive()["items"], np.full((rows, 7), rows))


def test_errors_arrive_as_what_they_are(channels: Channels) -> None:
    ours, theirs = channels
    for error, kind in (
        (PlanDamaged("run this"), PlanDamaged),
        (ValueError("of nobody's concern"), RunnerError),
        (RunnerError("\ud800 long" * 10_000), RunnerError),
    ):
        ours.send_error(error)
        with pytest.raises(kind) as raised:
            theirs.receive()
        assert type(raised.value) is kind


def test_an_end_that_is_gone_is_noticed(channels: Channels) -> None:
    ours, theirs = channels
    with pytest.raises(TimeoutError):
        ours.receive(0.01)
    theirs.close()
    with pytest.raises(EOFError):
        ours.receive()
    with pytest.raises(OSError, match="pipe"):
        ours.send(FINE)


@pytest.mark.parametrize("name", ["emotion-fer48", "retinaface-mnet025"])
def test_a_runner_in_the_worker_answers_like_one_here(name: str, plans: Path) -> None:
    spec = Catalog.load().get(name)
    plan, _ = build.find(spec, OnnxRuntime(), plans)
    same(OnnxRuntime(), process.command("onnxruntime", None), plan, spec)


def test_tensorrt_runs_in_the_worker(tmp_path: Path) -> None:
    """On a GPU that is not there, as in the tests of its runner."""
    engine = tensorrt_worker.engine()
    spec = msgspec.structs.replace(SPEC, batches=(1, 4))
    plan = build.build(spec, engine, tmp_path).path
    same(engine, [sys.executable, "-m", "tests.engines.tensorrt_worker"], plan, spec)


def same(engine: Engine, command: list[str], plan: Path, spec: ModelSpec) -> None:
    items = list(probe(spec))
    name = "images" if spec.task == "detector" else "faces"
    opened = engine.open(plan, spec)
    with opened as near, working(command) as worker, worker.open(plan, spec) as far:
        for count in (1, 3, 5, 2):
            batch = (items * 3)[:count]
            expected = near.infer({name: np.stack(batch)})
            for feeds in ({name: np.stack(batch)}, {name: stacked(far, batch)}):
                found = far.infer(feeds)
                assert list(found) == list(expected)
                for key, array in expected.items():
                    assert found[key].dtype == array.dtype
                    np.testing.assert_array_equal(found[key], array)


def test_a_raise_is_told_and_logged_and_the_worker_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with working(FAULTY) as worker:
        with worker.open(PLAN, SPEC) as runner:
            pid = worker.pid
            with pytest.raises(RunnerError, match="taste"):
                runner.infer({"items": np.array([1, RAISES], np.uint8)})
        with worker.open(PLAN, SPEC) as runner:
            assert runner.infer(FINE)["doubled"].tolist() == [2, 4, 6]
        with pytest.raises(PlanDamaged, match="emotion-fer48 is damaged"):
            worker.open(DAMAGED, SPEC)
        assert worker.pid == pid
    (logged,) = [record for record in caplog.records if "taste" in record.getMessage()]
    assert (logged.name, logged.levelno) == ("emotions.worker", logging.ERROR)
    assert "Traceback" in logged.getMessage()


def test_a_worker_that_dies_is_replaced() -> None:
    events = Events()
    with working(FAULTY, events=events) as worker:
        with worker.open(PLAN, SPEC) as first, worker.open(PLAN, SPEC) as second:
            pid = worker.pid
            with pytest.raises(RunnerLost):
                first.infer({"items": np.array([DIES], np.uint8)})
            with pytest.raises(RunnerInterrupted):
                second.infer(FINE)
        with worker.open(PLAN, SPEC) as runner:
            assert runner.infer(FINE)["doubled"].tolist() == [2, 4, 6]
        assert worker.pid not in {pid, None}
    assert (events.restarts, events.losses) == (["died"], 1)


def test_slow_items_are_not_taken_for_a_hang(channels: Channels) -> None:
    """Nor is the first batch, which may still compile; a batch of many gets a share for each."""
    runner = remote.RemoteRunner(channels[0], lambda hung: RunnerError(), 1.0)
    assert runner._patience(1) == remote.OPEN_LIMIT_S
    for item_s, rows, patience in ((0.001, 32, 1.0), (0.5, 1, 2.0), (0.5, 32, 64.0)):
        runner._item_s = item_s
        assert runner._patience(rows) == patience


def test_a_batch_that_hangs_ends_the_worker_and_others_are_told_why() -> None:
    events = Events()
    with working(FAULTY, 1.0, events) as worker, ThreadPoolExecutor() as pool:

        def infer(item: int) -> type[Exception] | None:
            with worker.open(PLAN, SPEC) as runner:
                runner.infer(FINE)
                opened.append(item)
                while len(opened) < 2:
                    time.sleep(0.001)
                time.sleep(0.2 if item != HANGS else 0)
                try:
                    runner.infer({"items": np.array([item], np.uint8)})
                except EngineError as error:
                    return type(error)
            return None

        opened: list[int] = []
        hung = pool.submit(infer, HANGS)
        late = pool.submit(infer, HANGS)
        assert hung.result() is RunnerHung or late.result() is RunnerHung
        assert {hung.result(), late.result()} <= {RunnerHung, RunnerInterrupted}
        with worker.open(PLAN, SPEC) as runner:
            assert runner.infer(FINE)["doubled"].tolist() == [2, 4, 6]
    assert events.restarts == ["hung"]


@pytest.mark.parametrize(
    ("command", "why"),
    [([sys.executable, "-c", "raise SystemExit(3)"], "exit status 3"), (["/nothing"], "No such")],
)
def test_a_worker_that_cannot_start_names_the_fix(
    command: list[str], why: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(process, "TELL_FROM_S", 0.01)
    with working(command) as worker, ThreadPoolExecutor() as pool:
        opening = pool.submit(worker.open, PLAN, SPEC)
        await_line(caplog, lambda text: why in text and "EMOTIONS_ISOLATE=false" in text)
        worker.close()
        assert isinstance(opening.exception(), RunnerLost)


def await_line(caplog: pytest.LogCaptureFixture, wanted: Callable[[str], bool]) -> None:
    for _ in range(4000):
        if any(wanted(record.getMessage()) for record in caplog.records):
            return
        time.sleep(0.01)
    raise AssertionError(caplog.text)


def test_a_plan_that_ends_the_worker_when_it_is_opened_does_so_once_an_attempt() -> None:
    events = Events()
    with working(FAULTY, events=events) as worker:
        for _ in range(2):
            with pytest.raises(RunnerLost):
                worker.open(DEADLY, SPEC)
        with worker.open(PLAN, SPEC) as runner:
            assert runner.infer(FINE)["doubled"].tolist() == [2, 4, 6]
    assert events.restarts == ["died"] * 2


def test_closing_does_not_wait_for_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CLOSE_S", 0.1)
    with working(FAULTY) as worker, worker.open(PLAN, SPEC) as runner, ThreadPoolExecutor() as pool:
        hanging = pool.submit(runner.infer, {"items": np.array([HANGS], np.uint8)})
        time.sleep(0.1)
        worker.close()
        assert isinstance(hanging.exception(), RunnerLost)
        assert worker.pid is None


def test_pauses_grow_to_a_limit() -> None:
    pauses = [process.pause(useless) for useless in range(100)]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == process.LONGEST_PAUSE_S


def test_signals_are_left_to_the_service_from_the_first_moment() -> None:
    """A terminal sends Ctrl-C to all, also to a worker that is still importing."""
    with working(FAULTY) as worker:
        while worker.pid is None:
            time.sleep(0.001)
        first = worker.pid
        os.kill(first, signal.SIGINT)
        os.kill(first, signal.SIGTERM)
        with worker.open(PLAN, SPEC) as runner:
            runner.infer(FINE)
        assert worker.pid == first
