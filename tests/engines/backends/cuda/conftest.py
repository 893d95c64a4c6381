"""A plan of the engine `cuda`, its runner, and a budget."""

from collections.abc import Callable, Iterator
from pathlib import Path

import onnxruntime as ort
import pytest

from engines.backends.cuda import engine as engine_module
from engines.backends.cuda.engine import CudaEngine
from engines.backends.cuda.library import Provider, share_memory
from engines.backends.cuda.runner import CudaRunner
from engines.gpus import VISIBLE
from tests.engines.backends.cuda.stand_in import CPU, L4, LANDMARKS, OnGpu
from tests.engines.graphs import graph


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a plan restricts CUDA to one GPU; afterwards the variable is what it was."""
    monkeypatch.setenv(VISIBLE, "")
    monkeypatch.delenv(VISIBLE)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cuda") / "plan.cuda"
    model = graph("landmarks-64")
    path.write_bytes(CudaEngine((L4,), CPU).compile(model, LANDMARKS, path, lambda *_: None))
    return path


@pytest.fixture(scope="module")
def runner(plan: Path) -> Iterator[CudaRunner]:
    opened = CudaRunner(plan, LANDMARKS, CPU)
    with opened:
        yield opened


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> type[OnGpu]:
    monkeypatch.setattr(OnGpu, "made", [])
    monkeypatch.setattr(ort, "InferenceSession", OnGpu)
    monkeypatch.setattr(engine_module, "share_memory", lambda _: None)
    return OnGpu


@pytest.fixture
def budget() -> Iterator[Callable[[int], Provider]]:
    """Limit the memory of the sessions that are made from now on."""

    def limited(limit: int) -> Provider:
        provider = CPU._replace(limit=limit)
        share_memory.cache_clear()
        share_memory(provider)
        return provider

    yield limited
    share_memory.cache_clear()
    share_memory(CPU)
