"""GPU memory: known before it is taken, within the budget, and shared with other services."""

import functools
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.memory import ALIGNMENT, PAGE, layouts
from engines.backends.tensorrt.tensors import Tensor
from engines.errors import GpuMemoryError
from engines.memory import RESERVE, Budget, mib
from engines.types import Array
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.fake_gpu import Memory
from tests.engines.backends.tensorrt.network import SIZES, SPEC, engine_on, offsets, opened

TENSORS = [
    Tensor("faces", (64, 64, 3), np.uint8, True),
    Tensor("offsets", (5, 2), np.float32, False),
]


class Profiles:
    """An engine whose profiles need this scratch memory."""

    def __init__(self, *scratch: int) -> None:
        self._scratch = scratch

    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        return self._scratch[profile_index]


@given(scratch=st.lists(st.integers(0, 1 << 33), min_size=3, max_size=3))
def test_parts_of_a_block_are_apart_and_aligned(scratch: list[int]) -> None:
    for layout in layouts(Profiles(*scratch), TENSORS, SIZES):
        count = len(layout.sizes)
        assert layout.sizes == SIZES[:count]
        assert layout.scratch == max(scratch[:count])
        end = layout.scratch
        for tensor in TENSORS:
            start = layout.offsets[tensor.name]
            assert start % ALIGNMENT == 0
            assert end <= start < end + ALIGNMENT
            end = start + tensor.bytes(layout.sizes[-1])
        assert end <= layout.total < end + PAGE
        assert layout.total % PAGE == 0


@given(scratch=st.lists(st.integers(0, 1 << 33), min_size=3, max_size=3))
def test_fewer_batch_sizes_never_need_more(scratch: list[int]) -> None:
    totals = [each.total for each in layouts(Profiles(*scratch), TENSORS, SIZES)]
    assert totals == sorted(totals, reverse=True)


@functools.cache
def needs(plan: Path) -> dict[tuple[int, ...], int]:
    """Return what the network takes with each of its sets of batch sizes, largest first."""
    found = {}
    for count in range(len(SIZES), 0, -1):
        with opened(engine_on(Machine()), plan, SIZES[:count]) as runner:
            found[runner.sizes] = runner.memory
    return found


def require_fit(engine: TensorRT, machine: Machine, plan: Path, room: int) -> tuple[int, ...]:
    """Open the network where `room` bytes are to be had; return its batch sizes, none if refused.

    The largest ones that fit must open, or the refusal must name the need.
    """
    fitting = [sizes for sizes, need in needs(plan).items() if need <= room]
    if fitting:
        with opened(engine, plan) as runner:
            assert runner.sizes == fitting[0]
            assert runner.memory == machine.gpu.used == engine.budget.taken <= room
            assert offsets(runner, 20).shape == (20, 5, 2)
    else:
        with pytest.raises(GpuMemoryError) as refused:
            engine.open(plan, SPEC)
        weights = -(-plan.stat().st_size // PAGE) * PAGE
        missing = weights if weights > room else needs(plan)[SIZES[:1]] - weights
        assert str(refused.value).startswith(f"{mib(missing)} MiB of GPU memory are needed")
    assert machine.empty
    assert engine.budget.taken == machine.gpu.used == 0
    return fitting[0] if fitting else ()


@settings(max_examples=50)
@given(budget=st.integers(0, 16 << 20))
def test_any_budget_is_kept_or_the_need_is_named(plan: Path, budget: int) -> None:
    machine = Machine()
    require_fit(engine_on(machine, memory=budget), machine, plan, budget)


@settings(max_examples=50)
@given(free=st.integers(RESERVE - (1 << 20), RESERVE + (16 << 20)))
def test_any_free_memory_is_enough_or_the_need_is_named(plan: Path, free: int) -> None:
    machine = Machine(Memory(free))
    require_fit(engine_on(machine), machine, plan, free - RESERVE)


def test_each_number_of_batch_sizes_occurs(plan: Path) -> None:
    """The tests above meet all cases."""
    found = {(): 0} | needs(plan)
    for sizes, need in found.items():
        machine = Machine()
        assert require_fit(engine_on(machine, memory=need), machine, plan, need) == sizes


def test_all_runners_of_a_process_share_the_budget(plan: Path, expected: Array) -> None:
    largest, least = needs(plan)[SIZES], needs(plan)[SIZES[:1]]
    machine = Machine()
    engine = engine_on(machine, memory=largest + least)
    with opened(engine, plan) as first:
        with opened(engine, plan) as second:
            assert (first.sizes, second.sizes) == (SIZES, SIZES[:1])
            with pytest.raises(GpuMemoryError, match=r"0\.0 MiB are left of the budget"):
                engine.open(plan, SPEC)
            np.testing.assert_allclose(offsets(second, 20), expected[:20], atol=1e-5)
        with opened(engine, plan, SIZES[:1]) as second:
            assert second.sizes == SIZES[:1]
    assert machine.empty


def test_memory_is_free_before_it_is_given_back(plan: Path) -> None:
    """Another thread may take it at once."""

    class Strict(Budget):
        def release(self, size: int) -> None:
            super().release(size)
            assert machine.gpu.used == self.taken

    machine = Machine()
    engine = engine_on(machine)
    engine.budget = Strict()
    with opened(engine, plan):
        assert machine.gpu.used == engine.budget.taken
    assert engine.budget.taken == 0


@pytest.mark.parametrize("call", ["allocate", "pin", "context", "execute"])
def test_memory_that_another_program_took_meanwhile_costs_the_largest_batch(
    plan: Path, call: str, expected: Array, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    engine = engine_on(machine)
    first = 2 if call == "allocate" else 1  # the first allocation only checks the context
    machine.faults.expect(call, first, out_of_memory=True)
    with opened(engine, plan) as runner:
        assert runner.sizes == SIZES[:-1]
        np.testing.assert_allclose(offsets(runner, 20), expected[:20], atol=1e-5)
    assert f"{SPEC.name} without batch {SIZES[-1]}" in caplog.text
    assert machine.empty


def test_a_plan_that_the_gpu_has_no_memory_for_is_not_called_damaged(plan: Path) -> None:
    """Advice to build it again would help nobody."""
    machine = Machine(Memory(PAGE))
    with pytest.raises(GpuMemoryError, match="end other programs on the GPU"):
        engine_on(machine).open(plan, SPEC)
    machine = Machine()
    machine.faults.expect("load", 1, out_of_memory=True)
    with pytest.raises(GpuMemoryError):
        engine_on(machine).open(plan, SPEC)
    assert machine.empty


def test_opening_reports_batch_sizes_and_memory(
    plan: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "emotions.tensorrt")
    with opened(engine_on(Machine()), plan) as runner:
        pass
    size = mib(runner.memory)
    assert f"{SPEC.name}, batches of 1, 4, 16, {size} MiB of GPU memory" in caplog.text


def test_two_services_on_one_gpu(plan: Path, expected: Array) -> None:
    """They open and close networks at the same time, where only one has all batch sizes."""
    most = needs(plan)[SIZES]
    gpu = Memory(RESERVE + most + most // 2)
    counts = [0, 0]

    def service(number: int) -> Callable[[], None]:
        machine = Machine(gpu)
        engine = engine_on(machine)

        def run() -> None:
            for _ in range(8):
                try:
                    with opened(engine, plan) as runner:
                        np.testing.assert_allclose(offsets(runner, 20), expected[:20], atol=1e-5)
                        counts[number] += 1
                except GpuMemoryError:
                    continue
                assert machine.empty

        return run

    errors: list[BaseException] = []

    def guarded(run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(service(number),)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(counts), counts
    assert gpu.used == 0
