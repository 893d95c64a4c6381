"""The budget of GPU memory without device processes: it is the limit of all workers together."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.workers.layout import Layout
from analysis.workers.replica import Replica
from engines import select
from engines.backends.tensorrt import engine as tensorrt
from engines.errors import GpuMemoryError
from engines.memory import MIB
from service.factory import find_models, layout_of
from service.settings import Settings
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4
from tests.service.copied_plans import copy_plans


def layout(plans: Path, gpu_memory_bytes: int | None = None) -> Layout:
    settings = Settings(
        plans=plans,
        engine="onnxruntime",
        device_process=False,
        workers=1,
        gpu_memory_bytes=gpu_memory_bytes,
    )
    return layout_of(settings, find_models(settings), Replica())


@pytest.fixture(scope="module")
def budgeted(plans: Path) -> Layout:
    return layout(plans, gpu_memory_bytes=MIB)


@given(budget=st.integers(1, 1 << 40), workers=st.integers(1, 200), processes=st.integers(1, 9))
def test_workers_without_a_device_process_share_the_budget(
    budgeted: Layout, budget: int, workers: int, processes: int
) -> None:
    assert budgeted.worker_setup.gpu_memory == MIB
    shared = replace(budgeted, workers=workers, gpu_memory=budget)
    for number in range(processes):
        part = replace(shared, replica=Replica(number, processes)).worker_setup.gpu_memory
        assert part is not None
        assert budget <= part * workers * processes < budget + workers * processes


def test_there_is_no_budget_by_default(plans: Path) -> None:
    assert layout(plans).worker_setup.gpu_memory is None


@pytest.mark.parametrize("processes", [1, 3])
def test_networks_in_threads_of_the_service_keep_the_budget(
    plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    for module in (select, tensorrt):
        monkeypatch.setattr(module, "visible", lambda: (L4,))
    monkeypatch.setattr(tensorrt, "check_installed", lambda: None)
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt)
    copy_plans(plans, tmp_path, tensorrt.TensorRT.load("tensorrt"))
    settings = Settings(
        plans=tmp_path,
        engine="tensorrt",
        isolate=False,
        gpu_memory_bytes=MIB,
        http_processes=processes,
    )
    engine = find_models(settings).engine
    assert isinstance(engine, tensorrt.TensorRT)
    most = -(-MIB // processes)
    with engine.budget.reserve([most], lambda: L4.memory):
        pass
    engine.budget.release(most)
    with (
        pytest.raises(GpuMemoryError, match="the budget of"),
        engine.budget.reserve([most + 1], lambda: L4.memory),
    ):
        pass
