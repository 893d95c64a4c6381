"""The memory of a runner: made once, pinned on the host, freed at the end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.errors import RunnerError
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import faces, of, offsets, opened


def test_buffers_are_made_once(runner: TensorRTRunner, machine: Machine) -> None:
    machine.events.clear()
    for count in (1, 16, 40):
        offsets(runner, count)
    assert not of(machine.events, "allocate", "pin", "stream")


def test_a_stream_has_one_block_on_the_gpu(runner: TensorRTRunner, machine: Machine) -> None:
    assert len(runner.sizes) > 1
    assert len(machine.memory) == 2, "for two streams"


def test_rows_in_the_runners_own_memory_give_the_same_answers(runner: TensorRTRunner) -> None:
    for count in (1, 3, 16, 40):  # the last is more than its memory holds
        items = faces(count)
        own = runner.input_buffer(items.shape, items.dtype)
        own[...] = items
        found = runner.infer({"faces": own})["offsets"]
        np.testing.assert_array_equal(found, offsets(runner, count))


def test_rows_that_fit_a_batch_go_to_pinned_memory(runner: TensorRTRunner) -> None:
    one, other = (runner.input_buffer((4, 64, 64, 3), np.dtype(np.uint8)) for _ in range(2))
    assert np.shares_memory(one, other)


def test_answers_do_not_change_with_the_next_batch(runner: TensorRTRunner) -> None:
    first = offsets(runner, 2)
    kept = first.copy()
    runner.infer({"faces": 255 - faces(2)})
    np.testing.assert_array_equal(first, kept)


def test_a_closed_runner_leaves_nothing(engine: TensorRT, plan: Path, machine: Machine) -> None:
    with opened(engine, plan):
        assert machine.memory
        assert machine.pinned
        assert machine.graphs
        assert engine.budget.taken == machine.gpu.used > 0
    assert machine.empty
    assert engine.budget.taken == machine.gpu.used == 0


@pytest.mark.parametrize(
    "feeds",
    [
        {"images": np.zeros((1, 64, 64, 3), np.uint8)},
        {"faces": np.zeros((1, 64, 64, 3), np.float32)},
        {"faces": np.zeros((1, 64, 63, 3), np.uint8)},
    ],
)
def test_wrong_feeds_are_named(runner: TensorRTRunner, feeds: dict[str, Any]) -> None:
    with pytest.raises(RunnerError, match="faces must be uint8"):
        runner.infer(feeds)
