"""The engines `tensorrt` and `tensorrt-rtx`: their GPUs and their plans."""

from pathlib import Path
from typing import Any

import onnx

from engines.backends.tensorrt.build import compiled
from engines.backends.tensorrt.cuda import Cuda, check_installed
from engines.backends.tensorrt.library import Library, compute_capability, load_library
from engines.backends.tensorrt.recovery import Recovery
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError, GpuMissingError
from engines.gpus import Gpu, too_old, visible, without_obstacle
from engines.memory import Budget
from engines.types import Report, Runner

# CUDA streams per runner. A device process has two runners of each network, each in its own thread:
# one copies while the other computes.
STREAMS = 1
# Compute capabilities that TensorRT-RTX compiles for by default.
PORTABLE = "8.0 and later"
# The least compute capability that TensorRT supports since version 10.5.
OLDEST = "7.5"


class TensorRT:
    """Compiles plans with an optimization profile per batch size, and runs them.

    TensorRT measures kernels on the GPU while it compiles, so its plans run only on that kind of
    GPU. TensorRT-RTX compiles for a compute capability, on any machine; the GPU's machine finishes
    the compilation when it loads a plan.
    """

    suffix = ".plan"
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")

    def __init__(
        self,
        name: str,
        library: Library,
        gpus: tuple[Gpu, ...],
        *,
        cuda: Cuda | None = None,
        capability: str | None = None,
        why_no_gpu: str | None = None,
        graphs: bool = True,
        streams: int = STREAMS,
        memory: int | None = None,
    ) -> None:
        self.name = self.origin = name
        self._library, self._gpus, self._cuda = library, gpus, cuda
        self._portable = name == "tensorrt-rtx"
        self._capability = capability
        self._why_no_gpu = why_no_gpu
        self._graphs, self._streams, self._memory = graphs, streams, memory
        self.budget, self._recovery = Budget(memory), Recovery()

    @classmethod
    def load(
        cls, name: str, capability: str | None = None, memory: int | None = None
    ) -> "TensorRT":
        """Import the library of the engine `name` and list the GPUs.

        GPUs that cannot run its plans, or not those for `capability`, are left out, unless all are.

        Raises:
            GpuMissingError: the library is not installed, or TensorRT finds no GPU.
            EngineError: the library is too old or too new, or TensorRT is given a `capability`.
        """
        library = load_library(name)
        if capability is not None and name != "tensorrt-rtx":
            raise EngineError(
                "TensorRT builds for the GPU it runs on; "
                "only tensorrt-rtx takes a compute capability"
            )
        try:
            check_installed()
            engine = cls(name, library, visible(), capability=capability, memory=memory)
        except GpuMissingError as missing:
            if name == "tensorrt":
                raise
            return cls(name, library, (), capability=capability, why_no_gpu=str(missing))
        able = without_obstacle(engine.gpus(), lambda gpu: engine.on(gpu).obstacle())
        return engine.like(gpus=able)

    def like(self, **changes: Any) -> "TensorRT":
        """The same engine with other options of the constructor, for running the same plans."""
        options: dict[str, Any] = {
            "gpus": self._gpus,
            "cuda": self._cuda,
            "capability": self._capability,
            "why_no_gpu": self._why_no_gpu,
            "graphs": self._graphs,
            "streams": self._streams,
            "memory": self._memory,
        }
        return TensorRT(self.name, self._library, **(options | changes))

    @property
    def cuda(self) -> Cuda:
        """Access to the first GPU; CUDA starts in this process.

        Raises:
            GpuMissingError: there is no GPU, or CUDA does not start.
        """
        if not self._gpus:
            raise GpuMissingError(f"{self.name} needs a GPU to run: {self._why_no_gpu}")
        if self._cuda is None:
            self._cuda = Cuda.load(self._gpus[0])
        return self._cuda

    def identity(self) -> dict[str, str]:
        """The library's version, and the GPU or the compute capability that plans are for."""
        library = {"library": f"{self.name} {self._library.__version__}"}
        if self._portable:
            return {**library, "compute_capability": self._target or PORTABLE}
        gpu = self._gpus[0]
        return {**library, "gpu": gpu.name, "compute_capability": gpu.capability}

    def obstacle(self) -> str | None:
        """Why plans of this engine cannot run on this machine, or None if they can."""
        if not self._gpus:
            return self._why_no_gpu or "there is no GPU"
        here = self._gpus[0].capability
        if self._capability not in {None, here}:
            return f"the plan is for compute capability {self._capability}, the GPU has {here}"
        if not self._portable:
            return too_old(self._gpus[0], OLDEST, "TensorRT")
        if compute_capability(self._library, here) is None:
            return f"TensorRT-RTX does not know GPUs of compute capability {here}"
        return None

    def gpus(self) -> tuple[Gpu, ...]:
        """GPUs and MIG slices, in the order of `nvidia-smi`."""
        return self._gpus

    def on(self, gpu: Gpu) -> "TensorRT":
        """The same engine for only one of its GPUs; see `Engine.on`."""
        return self.like(gpus=(gpu,))

    def batch(self, spec: ModelSpec) -> int:
        """The largest batch, once per stream."""
        return self._streams * spec.max_batch

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """Only the catalog's height: images of all clients share batches, which have one shape."""
        return spec.input_shape[:1]

    def compile(
        self, model: onnx.ModelProto, spec: ModelSpec, folder: Path, report: Report
    ) -> bytes:
        """Compile a graph; see `engines.backends.tensorrt.build.compiled`.

        Raises:
            EngineError: the library rejects the graph; the message has the reason.
        """
        cache = None if self._portable else folder / "timing.cache"
        return compiled(
            self._library, model, spec, capability=self._target, timing=cache, report=report
        )

    def open(self, plan: Path, spec: ModelSpec) -> Runner:
        """Load a plan on the GPU of this process, with the batch sizes for which there is memory.

        All runners of this object share its budget, also in several threads.
        """
        return TensorRTRunner(
            self._library,
            self.cuda,
            plan,
            spec,
            budget=self.budget,
            recovery=self._recovery,
            streams=self._streams,
            graphs=self._graphs,
        )

    @property
    def _target(self) -> str | None:
        """The compute capability that TensorRT-RTX compiles for, None if for all."""
        if not self._portable or self._capability or not self._gpus:
            return self._capability
        return self._gpus[0].capability
