"""Threads of a process that open runners at the same time: each gets only its own errors."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.backends.tensorrt.engine import TensorRT
from engines.errors import PlanDamagedError
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import SIZES, SPEC, opened

WAIT_S = 30.0


@contextmanager
def at_last_message(act: Callable[[], object]) -> Iterator[None]:
    """Act in the thread of a failure when TensorRT has logged all about it."""

    def look(record: logging.LogRecord) -> bool:
        if record.getMessage().endswith("(Engine deserialization failed.)"):
            act()
        return True

    log = logging.getLogger("emotions.tensorrt")
    log.addFilter(look)
    try:
        yield
    finally:
        log.removeFilter(look)


def sizes(engine: TensorRT, plan: Path) -> tuple[int, ...]:
    """Open a runner, close it, and return its batch sizes."""
    with opened(engine, plan) as runner:
        return runner.sizes


def test_two_threads_out_of_memory_at_once_both_leave_out_a_batch_size(
    engine: TensorRT, machine: Machine, plan: Path
) -> None:
    machine.faults.expect("context", 1, 2, out_of_memory=True)
    with at_last_message(threading.Barrier(2, timeout=WAIT_S).wait), ThreadPoolExecutor(2) as pool:
        found = list(pool.map(sizes, [engine] * 2, [plan] * 2))
    assert found == [SIZES[:-1]] * 2
    assert machine.empty


def test_a_thread_that_opens_does_not_clear_the_message_of_another(
    engine: TensorRT, machine: Machine, plan: Path
) -> None:
    machine.faults.expect("context", 1, out_of_memory=True)
    others: list[tuple[int, ...]] = []

    def open_another() -> None:
        other = threading.Thread(target=lambda: others.append(sizes(engine, plan)))
        other.start()
        other.join(WAIT_S)

    with at_last_message(open_another):
        assert sizes(engine, plan) == SIZES[:-1]
    assert others == [SIZES]


def test_the_reason_of_an_error_is_of_its_own_thread(
    engine: TensorRT, machine: Machine, plan: Path, tmp_path: Path
) -> None:
    machine.faults.expect("load", 1)
    with pytest.raises(PlanDamagedError, match="load failed"):
        engine.open(plan, SPEC)
    damaged = tmp_path / "damaged.plan"
    damaged.write_bytes(b"no plan")
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(PlanDamagedError, match=r"\(no reason given\)"),
    ):
        pool.submit(engine.open, damaged, SPEC).result(WAIT_S)
