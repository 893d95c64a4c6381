"""The engine `tensorrt`: its GPUs, and when it is chosen."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from engines import select
from engines.backends.tensorrt import engine as engine_module
from engines.errors import EngineError, GpuMissingError
from engines.gpus import Gpu
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine
from tests.engines.backends.tensorrt.network import engine_on

H200 = Gpu("GPU-2", "NVIDIA H200", "9.0", 1 << 37)
OLD = Gpu("GPU-3", "NVIDIA GeForce GT 1030", "6.1", 2 << 30)


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT and TensorRT-RTX, which knows the compute capabilities 8.9 and 9.0."""
    rtx = ModuleType("tensorrt_rtx_bindings")
    rtx.__dict__.update(vars(fake_tensorrt), ComputeCapability=SimpleNamespace(SM89=1, SM90=2))
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", rtx)
    monkeypatch.setattr(engine_module, "check_installed", lambda: None)


def show(monkeypatch: pytest.MonkeyPatch, *gpus: Gpu) -> None:
    """Let this machine have these GPUs."""
    for module in (select, engine_module):
        monkeypatch.setattr(module, "visible", lambda: gpus)


CASES = [
    ("tensorrt", None, (L4, H200), "TensorRT needs compute capability 7.5 or more; the GPU has"),
    ("tensorrt-rtx", None, (L4, H200), "does not know GPUs of compute capability 6.1"),
    ("tensorrt-rtx", "8.9", (L4,), "the plan is for compute capability 8.9, the GPU has"),
    ("tensorrt-rtx", "9.0", (H200,), "the plan is for compute capability 9.0, the GPU has"),
]


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(("name", "capability", "able", "why"), CASES)
def test_gpus_that_cannot_run_the_plans_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    name: str,
    capability: str | None,
    able: tuple[Gpu, ...],
    why: str,
) -> None:
    show(monkeypatch, OLD, L4, H200)
    engine = select.load_engine(name, capability)
    assert (engine.gpus(), engine.obstacle()) == (able, None)
    assert caplog.text.count("is left out") == 3 - len(able)
    assert f"{OLD.name} ({OLD.uuid}) is left out" in caplog.text
    assert why in caplog.text


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(("name", "capability", "able", "why"), CASES)
def test_a_machine_without_other_gpus_has_the_obstacle(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    capability: str | None,
    able: tuple[Gpu, ...],
    why: str,
) -> None:
    gpus = tuple(gpu for gpu in (OLD, L4, H200) if gpu not in able)
    show(monkeypatch, *gpus)
    engine = select.load_engine(name, capability)
    assert engine.gpus() == gpus
    assert why in str(engine.obstacle())


@pytest.mark.usefixtures("libraries")
def test_auto_takes_the_engine_that_knows_compute_capabilities(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show(monkeypatch, L4, H200)
    found = select.choose("auto", "9.0")
    assert (found.engine.name, found.engine.gpus()) == ("tensorrt-rtx", (H200,))
    assert found.reason.startswith("TensorRT builds for the GPU it runs on")
    assert select.choose("auto").engine.name == "tensorrt"


def test_an_engine_for_another_gpu_names_other_plans() -> None:
    engine = engine_on(Machine()).like(gpus=(L4, H200))
    assert engine.gpus() == (L4, H200)
    assert engine.on(H200).gpus() == (H200,)
    assert engine.identity()["gpu"] == "NVIDIA L4"
    assert engine.on(H200).identity()["gpu"] == "NVIDIA H200"
    assert engine.on(H200).identity()["compute_capability"] == "9.0"


def test_an_engine_chosen_by_name_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> tuple[Gpu, ...]:
        raise GpuMissingError("there is no GPU")

    monkeypatch.setattr(select, "visible", missing)
    found = select.choose("auto")
    assert found.engine.name in {"openvino", "onnxruntime"}
    assert found.reason.startswith("there is no GPU; OpenVINO is ")
    assert select.choose("onnxruntime").reason == "chosen by name"
    with pytest.raises(GpuMissingError):
        select.load_engine("tensorrt")


def test_auto_takes_tensorrt_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (select, engine_module):
        monkeypatch.setattr(module, "visible", lambda: (L4,))
    monkeypatch.setattr(engine_module, "check_installed", lambda: None)
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt)
    found = select.choose("auto")
    assert found.engine.name == "tensorrt"
    assert "GPU" in found.reason
    monkeypatch.setattr(fake_tensorrt, "__version__", "10.11.0")
    with pytest.raises(EngineError, match=r"10\.12 to 11"):
        select.load_engine("tensorrt")
