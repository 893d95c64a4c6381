"""A worker finds the images that an engine fails on, and reopens its networks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.errors import CorruptImageError, InferenceError
from analysis.networks import Networks, open_networks
from analysis.types import Input, Options
from analysis.workers import messages
from analysis.workers.channel import supported
from analysis.workers.messages import Reconnect
from analysis.workers.packing import pack_inputs, unpack_results
from analysis.workers.worker import Analyzer
from engines.errors import PlanDamagedError, RunnerLostError
from engines.types import Array
from tests.analysis.fakes import FakeRunner, Recorder, plans
from tests.analysis.workers.processes import (
    Watched,
    plain,
    running,
    setup,
    turning,
    value_of,
)
from tests.engines.faulty import DAMAGED, OPENED, RAISES, Faulty, read

NETWORKS = 4


def task(value: int) -> Input:
    return Input(plain(value), Options())


@contextmanager
def working(folder: Path, batch: int = 4) -> Iterator[Analyzer]:
    with Analyzer(partial(open_networks, Faulty(str(folder)), plans(images=batch))) as worker:
        yield worker


def lives(folder: Path) -> int:
    """How often the networks were opened."""
    return len(read(folder / OPENED)) // NETWORKS


@given(st.lists(st.sampled_from([1, 2, 3, RAISES]), min_size=1, max_size=4))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_images_that_an_engine_fails_on_fail(tmp_path: Path, values: list[int]) -> None:
    with working(tmp_path) as worker:
        before = lives(tmp_path)
        results, batches, failures = worker.analyze([task(value) for value in values])
        found = [value_of(result) for result in results]
        assert found == [InferenceError if value == RAISES else value for value in values]
        bad = values.count(RAISES)
        assert failures == bad + (bad > 0 and len(values) > 1), "together, and then each alone"
        assert lives(tmp_path) == before + failures
        assert all(batch.rows for batch in batches)
        again, _, failures = worker.analyze([task(9)])
        assert (value_of(again[0]), failures) == (9, 0)


def test_the_error_of_an_image_is_not_a_failure_of_an_engine(tmp_path: Path) -> None:
    with working(tmp_path) as worker:
        results, _, failures = worker.analyze([Input(plain(1)[:-20], Options()), task(2)])
    assert ([value_of(result) for result in results], failures) == ([CorruptImageError, 2], 0)
    assert lives(tmp_path) == 1


def test_batches_are_reported_with_the_images_that_they_were_for(tmp_path: Path) -> None:
    with working(tmp_path, batch=2) as worker:
        for count in (3, 1):
            _, batches, _ = worker.analyze([task(value) for value in range(count)])
            detected = [batch.rows for batch in batches if batch.network == "detector"]
            assert detected == ([2, 1] if count == 3 else [1])


def test_a_worker_ends_if_its_networks_cannot_be_reopened(tmp_path: Path) -> None:
    with working(tmp_path) as worker:
        (tmp_path / DAMAGED).touch()
        with pytest.raises(PlanDamagedError, match="retinaface-mnet025 is damaged"):
            worker.analyze([task(RAISES)])


class LostRunner(FakeRunner):
    """Its device ends during the first image."""

    def infer(self, feeds: Any) -> dict[str, Array]:
        if self._recorder.fails(self._task):
            raise RunnerLostError("the device process ended")
        return super().infer(feeds)


def test_the_end_of_a_device_is_not_a_failure_of_a_network() -> None:
    lost, opens = [True], list[int]()

    @contextmanager
    def networks() -> Iterator[Networks]:
        opens.append(1)
        recorder = Recorder(fails=lambda each: each == "emotion" and lost[0])
        every = plans().all.items()
        runners = {name: LostRunner(plan.spec.task, recorder) for name, plan in every}
        yield Networks(runners, plans(), lost=lambda: lost[0])

    made: Callable[[], AbstractContextManager[Networks]] = networks
    with Analyzer(made) as worker:
        assert worker.lost
        with pytest.raises(RunnerLostError):
            worker.analyze([task(1), task(2)])
        assert len(opens) == 1, "the pool decides when to reopen"
        lost[0] = False
        worker.reopen()
        results, _, failures = worker.analyze([task(1), task(2)])
    assert (len(results), failures, len(opens)) == (2, 0, 2)


@pytest.mark.skipif(not supported(), reason="there are processes on Linux only")
def test_a_worker_process_answers_and_reopens_its_networks_on_request(tmp_path: Path) -> None:
    process = Watched("analysis.workers.worker", setup(tmp_path, plans(images=4)))
    with turning() as loop, running(process, loop):
        assert process.next() == "ready"
        for values in ([5, RAISES, 7], [8]):
            note, arrays = pack_inputs([task(value) for value in values])
            loop.run(partial(process.post, messages.encode(note), arrays))
            answer, message = process.answers.get(timeout=60)
            results = unpack_results(answer, message.arrays, [Options()] * len(values))
            wanted = [InferenceError if value == RAISES else value for value in values]
            assert [value_of(result) for result in results] == wanted
            assert answer.failures == (2 if RAISES in values else 0)
        before = lives(tmp_path)
        loop.run(lambda: process.post(messages.encode(Reconnect()), {}))
        assert process.next() == "ready"
        assert lives(tmp_path) == before + 1
