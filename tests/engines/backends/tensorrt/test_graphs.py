"""A CUDA graph per batch size and stream; without one, a batch size runs all the same."""

from pathlib import Path

import numpy as np
import pytest

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.errors import RunnerError
from engines.types import Array
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import SIZES, of, offsets, opened


def test_every_batch_size_is_captured_and_launched(
    runner: TensorRTRunner, machine: Machine
) -> None:
    assert runner.graphs == 2 * len(SIZES)
    machine.events.clear()
    offsets(runner, 16)
    assert len(of(machine.events, "launch")) == 1
    assert not of(machine.events, "execute")


def test_a_batch_size_runs_once_before_and_once_after_it_is_captured(
    engine: TensorRT, plan: Path, machine: Machine
) -> None:
    """Loading a kernel cannot be captured, and the first launch of a graph takes memory."""
    with opened(engine.like(streams=1), plan):
        calls = of(machine.events, "execute", "synchronize", "begin", "launch")
    size = ["execute", "synchronize", "begin", "execute", "launch", "synchronize"]
    assert [name for name, _ in calls[len(SIZES) :]] == len(SIZES) * size, "after the profiles"


def test_batch_sizes_that_cannot_be_captured_run_without_a_graph(
    engine: TensorRT, plan: Path, machine: Machine, expected: Array
) -> None:
    machine.capturable = False
    with opened(engine, plan) as runner:
        assert runner.graphs == 0
        machine.events.clear()
        np.testing.assert_allclose(offsets(runner, 16), expected[:16], atol=1e-5)
    assert of(machine.events, "execute") == [("execute", 16)]
    assert machine.empty


@pytest.mark.parametrize("call", ["begin", "end", "instantiate"])
def test_one_batch_size_that_cannot_be_captured_does_not_affect_the_others(
    engine: TensorRT, plan: Path, machine: Machine, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine.faults.expect(call, 1)
    with opened(engine, plan) as runner:
        assert runner.graphs == 2 * len(SIZES) - 1
    assert "batch 1 runs without a CUDA graph" in caplog.text
    assert machine.empty


def test_an_engine_can_run_without_graphs(engine: TensorRT, plan: Path) -> None:
    with opened(engine.like(graphs=False), plan) as runner:
        assert runner.graphs == 0


def test_an_error_has_the_name_that_cuda_gives_it(runner: TensorRTRunner, machine: Machine) -> None:
    machine.faults.expect("launch", 1)
    with pytest.raises(RunnerError, match="cuGraphLaunch returned CUDA_ERROR_UNKNOWN"):
        offsets(runner, 2)
