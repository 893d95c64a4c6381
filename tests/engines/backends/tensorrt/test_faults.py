"""Each call of CUDA and TensorRT fails once: nothing leaks, and the next runner works."""

import gc
import logging
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError, GpuMemoryError, PlanDamagedError, RunnerError
from engines.types import Array
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.fake_gpu import ANY
from tests.engines.backends.tensorrt.network import engine_on, offsets, opened

SIZES = (1, 4)
ROWS = 6


def calls(plan: Path, graphs: bool) -> int:
    """Return how many calls it takes to open a runner, run a batch and close it."""
    machine = Machine()
    with opened(engine_on(machine, graphs=graphs), plan, SIZES) as runner:
        offsets(runner, ROWS)
    return machine.faults.calls[ANY]


@pytest.fixture
def _collected() -> Iterator[None]:
    """Collect the cycles of other tests now; then memory must be freed without the collector."""
    gc.collect()
    gc.disable()
    logging.disable()  # pytest keeps logged errors, and these keep frames
    yield
    logging.disable(logging.NOTSET)
    gc.enable()


@pytest.mark.usefixtures("_collected")
@pytest.mark.parametrize("out_of_memory", [False, True])
@pytest.mark.parametrize("graphs", [False, True])
def test_each_call_in_turn(plan: Path, expected: Array, out_of_memory: bool, graphs: bool) -> None:
    total = calls(plan, graphs)
    assert total > 30
    errors: list[EngineError] = []  # as long as they exist, so do the frames that they refer to
    for number in range(1, total + 1):
        machine = Machine()
        engine = engine_on(machine, graphs=graphs)
        machine.faults.expect(ANY, number, out_of_memory=out_of_memory)
        try:
            with opened(engine, plan, SIZES) as runner:
                found = offsets(runner, ROWS)
                np.testing.assert_allclose(found, expected[:ROWS], atol=1e-5)
        except EngineError as error:
            errors.append(error)
            if error.__cause__ is not None:  # pycuda has no frames of Python
                traceback.clear_frames(error.__cause__.__traceback__)
        assert machine.empty, number
        assert engine.budget.taken == machine.gpu.used == 0, number
        assert machine.resets == 0, number
        machine.faults.expect(ANY)
        with opened(engine, plan, SIZES) as runner:
            assert runner.sizes == SIZES
            np.testing.assert_allclose(offsets(runner, ROWS), expected[:ROWS], atol=1e-5)
        assert machine.empty, number
    assert 0 < len(errors) < total
    kinds = {GpuMemoryError} if out_of_memory else {PlanDamagedError, RunnerError}
    assert {type(error) for error in errors} == kinds


@pytest.mark.usefixtures("_collected")
@pytest.mark.parametrize("out_of_memory", [False, True])
def test_each_call_in_turn_and_all_after_it(plan: Path, out_of_memory: bool) -> None:
    for number in range(1, calls(plan, graphs=True) + 1):
        machine = Machine()
        engine = engine_on(machine)
        machine.faults.expect(ANY, *range(number, 1000), out_of_memory=out_of_memory)
        with suppress(EngineError), opened(engine, plan, SIZES) as runner:
            offsets(runner, ROWS)
        assert machine.empty, number
        assert engine.budget.taken == machine.gpu.used == 0, number
        machine.faults.expect(ANY)
        with opened(engine, plan, SIZES) as runner:
            offsets(runner, ROWS)
