"""Plans of the engine `cuda`, and where `auto` selects it."""

import os
import re
import sys
from pathlib import Path

import msgspec
import onnxruntime as ort
import pytest

from engines import build, select
from engines.backends.cuda import engine as engine_module
from engines.backends.cuda.engine import CudaEngine
from engines.backends.cuda.library import CUDA, Provider, check_installed, check_libraries
from engines.backends.cuda.session import CudaPlan
from engines.catalog import Precision
from engines.errors import GpuMissingError, LibraryMissingError
from engines.gpus import VISIBLE, Gpu, visible
from engines.types import Engine
from tests.engines.backends.cuda.stand_in import (
    CPU,
    L4,
    LANDMARKS,
    MIB,
    T4,
    OnGpu,
    for_cpus,
    with_gpu,
)


@pytest.mark.parametrize("provider", [CPU, pytest.param(CUDA, marks=with_gpu)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_plans_stay_within_the_limits(
    provider: Provider, precision: Precision, tmp_path: Path
) -> None:
    gpu = visible()[0] if provider == CUDA else L4
    built = build.build(LANDMARKS, CudaEngine((gpu,), provider), tmp_path, precision=precision)
    assert built.sidecar.parity
    assert os.environ[VISIBLE] == gpu.uuid
    content = msgspec.msgpack.decode(built.path.read_bytes(), type=CudaPlan)
    assert content.half == (precision == "fp16")


def test_plans_are_bound_to_the_library_and_the_kind_of_gpu() -> None:
    both: Engine = CudaEngine((L4, T4))
    assert both.gpus() == (L4, T4)
    assert both.on(T4).identity() == {
        "library": f"onnxruntime-gpu {ort.__version__}",
        "gpu": "Tesla T4",
        "compute_capability": "7.5",
        "plan": "1",
    }
    assert both.identity() != both.on(T4).identity()
    assert (both.batch(LANDMARKS), both.heights(LANDMARKS)) == (4, (64,))


def test_gpus_that_cuda_13_has_dropped_are_refused() -> None:
    def obstacle(capability: str) -> str | None:
        return CudaEngine((L4._replace(capability=capability),)).obstacle()

    assert [obstacle(supported) for supported in ("7.5", "8.9", "10.0", "12.1")] == [None] * 4
    assert "the GPU has 7.0" in str(obstacle("7.0"))


def test_a_gpu_that_is_too_old_is_left_out_beside_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = Gpu("GPU-cc1", "NVIDIA GeForce GT 1030", "6.1", 2 << 30)
    for check in ("check_installed", "check_libraries"):
        monkeypatch.setattr(engine_module, check, lambda: None)
    monkeypatch.setattr(engine_module, "visible", lambda: (old, L4, T4))
    engine = select.load_engine("cuda")
    assert (engine.gpus(), engine.obstacle()) == ((L4, T4), None)
    assert f"{old.name} ({old.uuid}) is left out: CUDA 13 needs" in caplog.text
    monkeypatch.setattr(engine_module, "visible", lambda: (old,))
    alone = select.load_engine("cuda")
    assert alone.gpus() == (old,)
    assert "the GPU has 6.1" in str(alone.obstacle())


@for_cpus
def test_the_library_for_cpus_is_refused_with_the_commands_that_replace_it() -> None:
    with pytest.raises(LibraryMissingError, match="pip uninstall onnxruntime`"):
        check_installed()
    with pytest.raises(LibraryMissingError, match=r"\.\[cuda\]"):
        select.load_engine("cuda")


@for_cpus
def test_a_missing_library_of_cuda_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GpuMissingError, match=r"libonnxruntime_providers_cuda\.so.*\.\[cuda\]"):
        check_libraries()
    assert capfd.readouterr() == ("", "")


def test_auto_takes_it_where_tensorrt_is_missing_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (select, engine_module):
        monkeypatch.setattr(module, "visible", lambda: (L4,))
    for check in ("check_installed", "check_libraries"):
        monkeypatch.setattr(engine_module, check, lambda: None)
    for name in ("tensorrt", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    found = select.choose("auto")
    assert found.engine.name == "cuda"
    assert re.search("tensorrt is not .*; .*tensorrt-rtx is not .*; a GPU and", found.reason)


def test_auto_goes_on_to_the_cpu_where_a_library_of_cuda_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (select, engine_module):
        monkeypatch.setattr(module, "visible", lambda: (L4,))
    monkeypatch.setattr(engine_module, "check_installed", lambda: None)
    for name in ("tensorrt", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)

    def missing() -> None:
        raise GpuMissingError("ONNX Runtime cannot use the GPU: libcublas.so.13")

    monkeypatch.setattr(engine_module, "check_libraries", missing)
    found = select.choose("auto")
    assert found.engine.name in {"openvino", "onnxruntime"}
    assert "libcublas.so.13; OpenVINO is" in found.reason


def test_the_budget_reaches_the_engine(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    given_to: list[Provider] = []
    monkeypatch.setattr(engine_module, "visible", lambda: (L4,))
    for check in ("check_installed", "check_libraries"):
        monkeypatch.setattr(engine_module, check, lambda: None)
    monkeypatch.setattr(engine_module, "share_memory", given_to.append)
    monkeypatch.setattr(ort, "InferenceSession", OnGpu)
    select.load_engine("cuda", memory=3 * MIB).open(plan, LANDMARKS)
    assert [provider.limit for provider in given_to] == [3 * MIB]
