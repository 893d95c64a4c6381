"""ONNX Runtime's errors as ours; the messages are those of onnxruntime-gpu 1.31.1."""

from pathlib import Path

import msgspec
import pytest

from engines.backends.cuda.errors import typed
from engines.backends.cuda.runner import CudaRunner
from engines.backends.cuda.session import CudaPlan
from engines.errors import (
    EngineError,
    GpuMemoryError,
    GpuMissingError,
    PlanDamagedError,
    RunnerError,
)
from tests.engines.backends.cuda.stand_in import CPU, LANDMARKS, MIB

ARENA = "void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*)"
CUDA_CALL = "CudaCall(ERRTYPE, const char*, int) [with ERRTYPE = cudaError; bool THRW = true]"
BUDGET = f"{ARENA} Available memory of 1066240 is smaller than requested bytes of 4915200"
FULL = f"Status Message: {ARENA} Failed to allocate memory for requested buffer of size 8388608"
NO_CUDNN = "cuDNN is unavailable or disabled for CUDA Execution Provider: dlopen failed"
DRIVER = (
    f"{CUDA_CALL} CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; "
    "GPU=-1 ; hostname=gpu-host-1 ; file=/onnxruntime_src/cuda_execution_provider.cc ; line=70"
)
CUDNN = "Failed to initialize CUDNN Frontend CUDNN_FE failure 8: HEURISTIC_QUERY_FAILED ; GPU=0"


@pytest.mark.parametrize(
    ("message", "limit", "expected", "shown"),
    [
        (BUDGET, 4 * MIB, GpuMemoryError, r"needs 4\.7 MiB more .* budget of 4\.0 MiB .*_BYTES"),
        (FULL, 4 * MIB, GpuMemoryError, r"needs 8\.0 MiB more on the GPU than is free"),
        ("CUDA failure 2: out of memory ; GPU=0", None, GpuMemoryError, "more memory .* than is"),
        ("CUBLAS_STATUS_ALLOC_FAILED", None, GpuMemoryError, "more memory .* than is free"),
        (NO_CUDNN, None, RunnerError, "cuDNN is unavailable"),
        (CUDNN, None, RunnerError, "CUDNN_FE failure 8: HEURISTIC_QUERY_FAILED$"),
        (
            "CUDA failure 700: an illegal memory access was encountered ; GPU=0\n",
            9,
            RunnerError,
            "d$",
        ),
    ],
)
def test_failures_while_running(
    message: str, limit: int | None, expected: type[RunnerError], shown: str
) -> None:
    with pytest.raises(RunnerError, match=shown) as raised, typed(limit):
        raise Exception(message)
    assert raised.type is expected


@pytest.mark.parametrize(
    ("error", "expected", "shown"),
    [
        (RuntimeError(DRIVER), GpuMissingError, "cannot start CUDA: CUDA failure 35: .*version$"),
        (Exception(BUDGET), GpuMemoryError, "than is free"),
        (Exception("Protobuf parsing failed."), PlanDamagedError, "emotions build --force"),
    ],
)
def test_failures_while_loading(error: Exception, expected: type[EngineError], shown: str) -> None:
    with pytest.raises(EngineError, match=shown) as raised, typed(None, loading=True):
        raise error
    assert raised.type is expected


def test_a_damaged_plan_names_the_command_that_builds_it(plan: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "plan.cuda"
    whole = msgspec.msgpack.decode(plan.read_bytes(), type=CudaPlan)
    for content in (
        b"no plan",
        plan.read_bytes()[:-9],
        msgspec.msgpack.encode(msgspec.structs.replace(whole, graph=b"no graph")),
    ):
        damaged.write_bytes(content)
        with pytest.raises(PlanDamagedError, match="emotions build --force --engine cuda"):
            CudaRunner(damaged, LANDMARKS, CPU)
