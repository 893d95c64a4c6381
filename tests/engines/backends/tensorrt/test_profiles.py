"""A profile per batch size: rows are padded to one of them, and every row is right."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.errors import RunnerError
from engines.types import Array
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import OUTPUT, SIZES, SPEC, of, offsets, opened


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 15, 16, 17, 20, 40])
def test_every_batch_equals_the_reference_row_by_row(
    runner: TensorRTRunner, expected: Array, count: int
) -> None:
    found = offsets(runner, count)
    assert found.shape == (count, *OUTPUT)
    np.testing.assert_allclose(found, expected[:count], atol=1e-5)


@pytest.mark.parametrize(("rows", "run"), [(1, [1]), (3, [4]), (5, [4, 1]), (9, [16])])
def test_rows_run_in_the_batch_sizes_of_the_plan(
    machine: Machine, plan: Path, engine: TensorRT, rows: int, run: list[int]
) -> None:
    with opened(engine.like(graphs=False), plan) as runner:
        machine.events.clear()
        offsets(runner, rows)
    assert [size for _, size in of(machine.events, "execute")] == run


def test_some_of_the_profiles_are_enough(engine: TensorRT, plan: Path, expected: Array) -> None:
    with opened(engine, plan, SIZES[:2]) as runner:
        np.testing.assert_allclose(offsets(runner, 9), expected[:9], atol=1e-5)


def test_other_batch_sizes_than_those_of_the_plan_are_refused(
    engine: TensorRT, plan: Path, machine: Machine
) -> None:
    spec = msgspec.structs.replace(SPEC, batches=(1, 8, 16))
    with pytest.raises(RunnerError, match=r"shape \(8, 64, 64, 3\)"):
        engine.open(plan, spec)
    assert machine.empty


def test_an_output_that_is_not_one_row_per_row_is_refused(
    engine: TensorRT, plan: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its buffer would be too small."""
    shape = fake_tensorrt.Dims((64, 64))
    monkeypatch.setattr(fake_tensorrt.IExecutionContext, "get_tensor_shape", lambda *_: shape)
    with pytest.raises(RunnerError, match=r"shape \(64, 64\) of faces"):
        engine.open(plan, SPEC)
    assert machine.empty
