"""The engine `cuda`: ONNX Runtime on NVIDIA GPUs, where TensorRT is not installed."""

import threading
from pathlib import Path

import msgspec
import onnx
import onnxruntime as ort

from engines.backends.cuda.errors import typed
from engines.backends.cuda.library import (
    CUDA,
    Provider,
    check_installed,
    check_libraries,
    share_memory,
)
from engines.backends.cuda.runner import CudaRunner
from engines.backends.cuda.session import CudaPlan
from engines.catalog import ModelSpec, Precision
from engines.gpus import Gpu, restrict, too_old, visible, without_obstacle
from engines.types import Report

# Version of our plans; increase it when `CudaPlan` changes.
PLAN_VERSION = "1"
# The least compute capability that CUDA 13 supports.
OLDEST = "7.5"
# Several threads open plans at once; the first one starts CUDA.
_starting = threading.Lock()


class CudaEngine:
    """Its plans are ONNX graphs, which ONNX Runtime optimises when it loads them.

    Yet a plan is bound to a kind of GPU, because it was verified on it.
    """

    name = origin = "cuda"
    suffix = ".cuda"
    # In int8 the CUDA provider computes in float32, with more steps.
    precisions: tuple[Precision, ...] = ("fp32", "fp16")

    def __init__(self, gpus: tuple[Gpu, ...], provider: Provider = CUDA) -> None:
        self._gpus, self._provider = gpus, provider

    @classmethod
    def load(cls, memory: int | None = None) -> "CudaEngine":
        """List the GPUs and load the libraries; `memory` is the budget in bytes, if there is one.

        GPUs that are too old are left out, unless all are.

        Raises:
            LibraryMissingError: the installed ONNX Runtime runs on CPUs only.
            GpuMissingError: there is no GPU, driver, CUDA or cuDNN.
        """
        check_installed()
        gpus = visible()
        check_libraries()
        engine = cls(gpus, CUDA._replace(limit=memory))
        return cls(without_obstacle(gpus, lambda gpu: engine.on(gpu).obstacle()), engine._provider)

    def identity(self) -> dict[str, str]:
        """The library's version, the GPU that plans are for, and `PLAN_VERSION`."""
        gpu = self._gpus[0]
        return {
            "library": f"onnxruntime-gpu {ort.__version__}",
            "gpu": gpu.name,
            "compute_capability": gpu.capability,
            "plan": PLAN_VERSION,
        }

    def obstacle(self) -> str | None:
        """Why plans cannot run here: the GPU is too old. Without a GPU the engine does not load."""
        return too_old(self._gpus[0], OLDEST, "CUDA 13")

    def gpus(self) -> tuple[Gpu, ...]:
        """GPUs and MIG slices, in the order of `nvidia-smi`."""
        return self._gpus

    def on(self, gpu: Gpu) -> "CudaEngine":
        """The same engine for only one of its GPUs; see `Engine.on`."""
        return CudaEngine((gpu,), self._provider)

    def batch(self, spec: ModelSpec) -> int:
        """The largest batch size."""
        return spec.max_batch

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """Only the catalog's height: images of all clients share batches, which have one shape."""
        return spec.input_shape[:1]

    def compile(
        self,
        model: onnx.ModelProto,
        spec: ModelSpec,  # noqa: ARG002
        folder: Path,  # noqa: ARG002
        report: Report,  # noqa: ARG002
    ) -> bytes:
        """Serialise the graph; ONNX Runtime compiles it on loading."""
        half = any(
            tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer
        )
        batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
        graph = model.SerializeToString(deterministic=True)
        return msgspec.msgpack.encode(CudaPlan(half, batch, graph))

    def open(self, plan: Path, spec: ModelSpec) -> CudaRunner:
        """Load a plan on the first GPU.

        Raises:
            GpuMissingError: CUDA does not start, or a layer would run on the CPU.
            GpuMemoryError: the GPU or the budget has too little memory.
            PlanDamagedError: the library does not load the plan.
        """
        with _starting:
            restrict(self._gpus[0])
            with typed(self._provider.limit, loading=True):
                share_memory(self._provider)
        return CudaRunner(plan, spec, self._provider)
