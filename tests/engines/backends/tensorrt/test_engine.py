"""The engine `tensorrt`: its GPUs, and when it is chosen."""

import sys

import pytest

from engines import select
from engines.backends.tensorrt import engine as engine_module
from engines.errors import EngineError, GpuMissingError
from engines.gpus import Gpu
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine
from tests.engines.backends.tensorrt.network import engine_on


def test_an_engine_for_another_gpu_names_other_plans() -> None:
    other = Gpu("GPU-2", "NVIDIA H200", "9.0", 1 << 37)
    engine = engine_on(Machine()).like(gpus=(L4, other))
    assert engine.gpus() == (L4, other)
    assert engine.on(other).gpus() == (other,)
    assert engine.identity()["gpu"] == "NVIDIA L4"
    assert engine.on(other).identity()["gpu"] == "NVIDIA H200"
    assert engine.on(other).identity()["compute_capability"] == "9.0"


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
