"""A context that accepts no more work is reset when a runner is opened; nothing else resets it."""

from pathlib import Path

import numpy as np
import pytest

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.recovery import Recovery
from engines.errors import GpuMemoryError, PlanDamagedError, RunnerError
from engines.types import Array
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import SPEC, offsets, opened


def test_a_dead_context_is_reset_when_a_runner_is_opened_again(
    engine: TensorRT, plan: Path, machine: Machine, expected: Array
) -> None:
    with opened(engine, plan) as broken:
        machine.dead.add(0)
        with pytest.raises(RunnerError, match="illegal memory access"):
            offsets(broken, 2)
    assert not machine.stack
    with opened(engine, plan) as again:
        np.testing.assert_allclose(offsets(again, 2), expected[:2], atol=1e-5)
        assert machine.blocking, "the reset cleared the flags of the context"
    assert machine.resets == 1
    assert machine.empty


def test_a_runner_whose_context_was_reset_by_another_can_be_closed_and_opened(
    engine: TensorRT, plan: Path, machine: Machine, expected: Array
) -> None:
    with opened(engine, plan) as first:
        with opened(engine, plan) as second:
            machine.dead.add(0)
            with pytest.raises(RunnerError):
                offsets(second, 2)
        with opened(engine, plan):
            assert machine.resets == 1
            with pytest.raises(RunnerError):
                offsets(first, 2)
    with opened(engine, plan) as again:
        np.testing.assert_allclose(offsets(again, 2), expected[:2], atol=1e-5)
    assert machine.resets == 1
    assert machine.empty
    assert engine.budget.taken == 0


@pytest.mark.parametrize("out_of_memory", [False, True])
@pytest.mark.parametrize("call", ["retain", "allocate", "load", "context", "execute"])
def test_a_failure_without_a_dead_context_resets_nothing(
    engine: TensorRT, plan: Path, machine: Machine, call: str, out_of_memory: bool
) -> None:
    """The context works, and other runners use it."""
    machine.faults.expect(call, *range(1, 11 if out_of_memory else 2), out_of_memory=out_of_memory)
    expected = (RunnerError, PlanDamagedError)
    with pytest.raises(GpuMemoryError if out_of_memory else expected):
        engine.open(plan, SPEC)
    assert machine.resets == 0
    assert machine.empty


def test_a_plan_of_something_else_is_refused(
    engine: TensorRT, tmp_path: Path, machine: Machine
) -> None:
    other = tmp_path / "other.plan"
    other.write_bytes(b"something else")
    with pytest.raises(PlanDamagedError, match=f"--force {SPEC.name}"):
        engine.open(other, SPEC)
    assert machine.empty
    assert machine.resets == 0


def test_a_dead_gpu_is_not_reset_twice(
    engine: TensorRT, plan: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "reset", lambda: None)
    machine.dead.add(0)
    with pytest.raises(RunnerError, match="illegal memory access"):
        engine.open(plan, SPEC)
    assert not machine.stack


def test_a_reset_by_another_thread_meanwhile_is_enough(machine: Machine) -> None:
    """Both had found the context dead; by then it works, and this thread tries again."""
    recovery, tries = Recovery(), 0

    def load_here() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            machine.dead.add(0)
            recovery.run(machine.cuda(), load_there)
            raise RunnerError("the memory is gone")

    def load_there() -> None:
        if machine.dead:
            raise RunnerError("an illegal memory access was encountered")

    recovery.run(machine.cuda(), load_here)
    assert tries == 2
    assert machine.resets == recovery.resets == 1
