"""What a runner queues on its CUDA streams."""

from pathlib import Path

import pytest

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.errors import GpuMemoryError, RunnerError
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import of, offsets, opened


def test_only_real_rows_are_copied(runner: TensorRTRunner, machine: Machine) -> None:
    machine.events.clear()
    offsets(runner, 3)
    assert of(machine.events, "download") == [("download", 3 * 10 * 4)]


def test_a_piece_is_copied_computed_and_copied_back_in_order(
    runner: TensorRTRunner, machine: Machine
) -> None:
    machine.events.clear()
    offsets(runner, 16)
    names = [name for name, _ in machine.events]
    assert names == ["upload", "launch", "download", "synchronize"]


def test_a_thread_that_waits_for_the_gpu_sleeps(
    engine: TensorRT, plan: Path, machine: Machine
) -> None:
    with opened(engine, plan):
        assert machine.blocking


@pytest.mark.parametrize("call", ["upload", "launch", "download", "synchronize"])
@pytest.mark.parametrize("out_of_memory", [False, True])
def test_an_error_of_the_device_is_a_runner_error(
    runner: TensorRTRunner, machine: Machine, call: str, out_of_memory: bool
) -> None:
    machine.faults.expect(call, 1, out_of_memory=out_of_memory)
    kind = GpuMemoryError if out_of_memory else RunnerError
    with pytest.raises(kind, match="too little GPU memory" if out_of_memory else "the GPU failed"):
        offsets(runner, 2)
