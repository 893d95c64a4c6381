"""The GPUs and slices that a process may use, from NVML and `CUDA_VISIBLE_DEVICES`."""

import inspect
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import GpuMissingError
from engines.gpus import (
    VISIBLE,
    Gpu,
    one_per_kind,
    only,
    restrict,
    too_old,
    visible,
    without_obstacle,
)
from tests.engines.fake_nvml import Device, Nvml

A100 = "NVIDIA A100-SXM4-40GB"
L4S = Device("GPU-aa1"), Device("GPU-aa2")
SLICED = Device(
    "GPU-bb",
    A100,
    (8, 0),
    40 << 30,
    mig=True,
    slices=[
        Device("MIG-1", f"{A100} MIG 3g.20gb", memory=20 << 30),
        None,
        Device("MIG-2", f"{A100} MIG 1g.5gb", memory=5 << 30),
    ],
)


@pytest.fixture(autouse=True)
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    monkeypatch.delenv(VISIBLE, raising=False)
    return install(monkeypatch, *L4S, SLICED)


def install(monkeypatch: pytest.MonkeyPatch, *devices: Device, failure: str | None = None) -> Nvml:
    made = Nvml(*devices, failure=failure)
    monkeypatch.setitem(sys.modules, "pynvml", made)
    return made


def uuids() -> list[str]:
    return [gpu.uuid for gpu in visible()]


def test_a_gpu_in_mig_mode_is_replaced_by_its_slices(nvml: Nvml) -> None:
    assert visible() == (
        Gpu("GPU-aa1", "NVIDIA L4", "8.9", 24 << 30),
        Gpu("GPU-aa2", "NVIDIA L4", "8.9", 24 << 30),
        Gpu("MIG-1", f"{A100} MIG 3g.20gb", "8.0", 20 << 30),
        Gpu("MIG-2", f"{A100} MIG 1g.5gb", "8.0", 5 << 30),
    )
    assert not nvml.started


def test_equal_gpus_are_of_one_kind_and_slices_of_unequal_size_are_not() -> None:
    first, _, *slices = visible()
    assert one_per_kind(visible()) == [first, *slices]
    assert one_per_kind([]) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("1", ["GPU-aa2"]),
        ("1,0", ["GPU-aa2", "GPU-aa1"]),
        (" 1 , 0 ", ["GPU-aa2", "GPU-aa1"]),
        ("GPU-aa2", ["GPU-aa2"]),
        ("MIG-2,GPU-aa,GPU-aa1", ["MIG-2"]),
        ("GPU-aa2,GPU-,GPU-aa1", ["GPU-aa2"]),
        ("01", ["GPU-aa2"]),
        (f"1,{'9' * 5000},0", ["GPU-aa2"]),
        ("MIG-2,GPU-aa1", ["MIG-2", "GPU-aa1"]),
        ("2", ["MIG-1", "MIG-2"]),
        ("0,0", ["GPU-aa1"]),
        ("0,7,1", ["GPU-aa1"]),
        ("0,-1,1", ["GPU-aa1"]),
        ("0,MIG-GPU-bb/1/0", ["GPU-aa1"]),
    ],
)
def test_cuda_visible_devices_restricts_and_orders(
    monkeypatch: pytest.MonkeyPatch, wanted: str, expected: list[str]
) -> None:
    monkeypatch.setenv(VISIBLE, wanted)
    assert uuids() == expected


@pytest.mark.parametrize("wanted", ["", "-1", "7", "NoDevFiles", "²", "GPU-", "GPU-aa", "G"])
def test_a_process_that_may_use_no_gpu_gets_an_error_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv(VISIBLE, wanted)
    with pytest.raises(GpuMissingError, match=f"no GPU that {VISIBLE}={wanted} allows"):
        visible()


@given(st.lists(st.sampled_from(["GPU-aa1", "GPU-a", "MIG-", "0", "1", "-", ",", " ", "²"])))
def test_any_value_restricts_the_gpus_or_is_an_error(pieces: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        every = visible()
        patch.setenv(VISIBLE, "".join(pieces))
        try:
            found = visible()
        except GpuMissingError:
            return
    assert set(found) <= set(every)
    assert len(set(found)) == len(found)


def test_the_beginning_of_the_only_uuid_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, L4S[0])
    monkeypatch.setenv(VISIBLE, "GPU-")
    assert uuids() == ["GPU-aa1"]


def test_gpus_with_an_obstacle_are_left_out_unless_all_have_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    new = Gpu("GPU-1", "NVIDIA GeForce RTX 4090", "8.9", 24 << 30)
    old = Gpu("GPU-2", "NVIDIA GeForce GT 1030", "6.1", 2 << 30)

    def obstacle(gpu: Gpu) -> str | None:
        return too_old(gpu, "7.5", "CUDA 13")

    assert without_obstacle((old, new), obstacle) == (new,)
    assert caplog.messages == [
        "NVIDIA GeForce GT 1030 (GPU-2) is left out: "
        "CUDA 13 needs compute capability 7.5 or more; the GPU has 6.1"
    ]
    caplog.clear()
    for kept in ((), (new,), (old,), (old, old._replace(uuid="GPU-3"))):
        assert without_obstacle(kept, obstacle) == kept
    assert not caplog.messages
    assert too_old(new._replace(capability="12.0"), "7.5", "CUDA 13") is None


def test_a_gpu_whose_slices_are_not_made_yet_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Device("GPU-bb", A100, mig=True, slices=[None]), Device("GPU-cc"))
    assert uuids() == ["GPU-cc"]


def test_a_gpu_that_could_be_sliced_but_is_not_is_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Device("GPU-bb", A100, mig=False))
    assert uuids() == ["GPU-bb"]


def test_no_driver_is_an_error_with_nvmls_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, failure="NVML Shared Library Not Found")
    with pytest.raises(GpuMissingError, match="NVML Shared Library Not Found"):
        visible()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(GpuMissingError, match="nvidia-ml-py"):
        visible()


LOST = Device("GPU-lost", lost=True)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, ["GPU-aa1", "GPU-aa2"]),
        ("0,1,2", ["GPU-aa1", "GPU-aa2"]),
        ("1,2", ["GPU-aa2"]),
        ("GPU-lost,GPU-aa1", []),
    ],
)
def test_a_lost_gpu_is_left_out_and_the_others_keep_their_numbers(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wanted: str | None,
    expected: list[str],
) -> None:
    install(monkeypatch, L4S[0], LOST, L4S[1])
    if wanted is not None:
        monkeypatch.setenv(VISIBLE, wanted)
    if expected:
        assert uuids() == expected
    else:
        with pytest.raises(GpuMissingError, match="no GPU that"):
            visible()
    assert "GPU 1 is left out: GPU is lost" in caplog.text


def test_a_machine_whose_only_gpu_is_lost_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch, LOST)
    with pytest.raises(GpuMissingError, match="there is no GPU"):
        visible()
    assert not nvml.started


def test_a_driver_that_fails_while_it_lists_is_an_error(
    monkeypatch: pytest.MonkeyPatch, nvml: Nvml
) -> None:
    def fails() -> int:
        raise Nvml.NVMLError("Unknown Error")

    monkeypatch.setattr(nvml, "nvmlDeviceGetCount", fails)
    with pytest.raises(GpuMissingError, match="cannot be listed: Unknown Error"):
        visible()
    assert not nvml.started


def test_a_gpu_without_memory_of_its_own_has_that_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, Device("GPU-gb10", "NVIDIA GB10", (12, 1), memory=None))
    (gpu,) = visible()
    assert gpu.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_process_for_one_gpu_sees_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    last = visible()[-1]
    command = [sys.executable, "-c", f"import os; print(os.environ['{VISIBLE}'], end='')"]
    seen = subprocess.run(command, env=only(last), capture_output=True, check=True, text=True)
    assert seen.stdout == "MIG-2"
    assert only(*visible()[:2])[VISIBLE] == "GPU-aa1,GPU-aa2"
    monkeypatch.setenv(VISIBLE, "0")
    restrict(last)
    assert os.environ[VISIBLE] == "MIG-2"
    assert uuids() == ["MIG-2"]


def test_the_fake_has_the_names_of_the_real_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pynvml")
    real = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    for name, value in inspect.getmembers(Nvml):
        if name.startswith(("nvml", "NVML")):
            assert hasattr(real, name), name
            if name.startswith("nvml"):
                ours = list(inspect.signature(value).parameters)[1:]
                assert ours == list(inspect.signature(getattr(real, name)).parameters)[: len(ours)]
    assert issubclass(real.NVMLError_NotFound, real.NVMLError)
    assert real.NVML_DEVICE_MIG_ENABLE == Nvml.NVML_DEVICE_MIG_ENABLE
