"""The budget of a process on its GPU."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import GpuMemoryError
from engines.memory import MIB, RESERVE, Budget, mib

PLENTY = 1 << 40


@given(
    limit=st.none() | st.integers(0, 100),
    free=st.integers(0, 100),
    taken=st.integers(0, 50),
    needs=st.lists(st.integers(0, 100), min_size=1, max_size=4),
)
def test_the_first_need_that_fits_is_reserved(
    limit: int | None, free: int, taken: int, needs: list[int]
) -> None:
    budget = Budget(limit)
    budget.taken = taken
    needs.sort(reverse=True)
    room = free if limit is None else min(free, limit - taken)
    fitting = [need for need in needs if need <= room]
    if fitting:
        with budget.reserve(needs, lambda: RESERVE + free) as chosen:
            assert budget.taken == taken, "until it is allocated"
        assert needs[chosen] == fitting[0]
        assert budget.taken == taken + fitting[0]
        budget.release(fitting[0])
    else:
        with pytest.raises(GpuMemoryError) as refused:  # noqa: SIM117
            with budget.reserve(needs, lambda: RESERVE + free):
                pass
        assert f"{mib(needs[-1])} MiB of GPU memory are needed" in str(refused.value)
        assert f"{mib(RESERVE + free)} MiB are free" in str(refused.value)
    assert budget.taken == taken


def test_a_refusal_names_the_limit_that_is_too_small() -> None:
    with pytest.raises(GpuMemoryError, match="end other programs on the GPU"):  # noqa: SIM117
        with Budget().reserve([2 * MIB], lambda: RESERVE + MIB):
            pass
    text = r"1\.5 MiB are left of the budget of 1\.5 MiB; raise EMOTIONS_GPU_MEMORY_BYTES"
    with pytest.raises(GpuMemoryError, match=text):  # noqa: SIM117
        with Budget(3 * MIB // 2).reserve([2 * MIB], lambda: PLENTY):
            pass


def test_what_could_not_be_allocated_is_not_reserved() -> None:
    budget = Budget(MIB)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), budget.reserve([MIB], lambda: PLENTY):
            raise ZeroDivisionError
    assert budget.taken == 0
    with budget.reserve([MIB], lambda: PLENTY) as chosen:
        assert chosen == 0


def test_threads_reserve_one_after_the_other() -> None:
    """Memory that one has reserved and not yet allocated looks free to the next."""
    size = 100
    left, budget, refused = [RESERVE + 3 * size], Budget(), []

    def take() -> None:
        try:
            with budget.reserve([size], lambda: left[0]):
                found = left[0]
                threading.Event().wait(0.001)
                left[0] = found - size
        except GpuMemoryError as error:
            refused.append(error)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5
    assert left[0] == RESERVE
    assert budget.taken == 3 * size
