"""The engines `tensorrt` and `tensorrt-rtx`: the GPUs that they use, and their plans."""

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import onnx

from engines.backends.tensorrt.build import compiled
from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.library import Library, compute_capability, load_library
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError, GpuMissingError
from engines.types import Report, Runner

# CUDA streams per runner. A device process has two runners of each network, each in its own thread:
# one copies while the other computes.
STREAMS = 1
# What TensorRT-RTX compiles for by default.
PORTABLE = "8.0 and later"


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
        cuda: Cuda | None,
        *,
        capability: str | None = None,
        why_no_gpu: str | None = None,
        graphs: bool = True,
        streams: int = STREAMS,
        devices: Sequence[int] = (),
    ) -> None:
        self.name = self.origin = name
        self._library, self._cuda = library, cuda
        self._portable = name == "tensorrt-rtx"
        self._capability = capability
        self._why_no_gpu = why_no_gpu
        self._graphs, self._streams = graphs, streams
        self._devices = devices or (_same_kind(cuda) if cuda else ())
        self._open: Counter[tuple[Path, int]] = Counter()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str, capability: str | None = None) -> "TensorRT":
        """Import the library of the engine `name` and find the GPUs.

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
            return cls(name, library, Cuda.load(), capability=capability)
        except GpuMissingError as missing:
            if name == "tensorrt":
                raise
            return cls(name, library, None, capability=capability, why_no_gpu=str(missing))

    def like(self, *, graphs: bool, streams: int, devices: Sequence[int] = ()) -> "TensorRT":
        """The same engine with other options for running the same plans."""
        return TensorRT(
            self.name,
            self._library,
            self._cuda,
            capability=self._capability,
            graphs=graphs,
            streams=streams,
            devices=devices,
        )

    @property
    def cuda(self) -> Cuda | None:
        """Access to the GPUs, if there are any."""
        return self._cuda

    def identity(self) -> dict[str, str]:
        """The library's version, and the GPU or the compute capability that plans are for."""
        library = {"library": f"{self.name} {self._library.__version__}"}
        if self._portable:
            return {**library, "compute_capability": self._target or PORTABLE}
        cuda, device = self._gpu(), self._devices[0]
        return {
            **library,
            "gpu": cuda.name(device),
            "compute_capability": cuda.capability(device),
        }

    def obstacle(self) -> str | None:
        """Why plans of this engine cannot run on this machine, or None where they can."""
        if self._cuda is None:
            return self._why_no_gpu or "there is no GPU"
        here = self._cuda.capability(self._devices[0])
        if self._capability not in {None, here}:
            return f"the plan is for compute capability {self._capability}, the GPU has {here}"
        if self._portable and compute_capability(self._library, here) is None:
            return f"TensorRT-RTX does not know GPUs of compute capability {here}"
        return None

    def devices(self) -> int:
        """Number of GPUs used: the first one and all of its kind, since they share plans."""
        return max(1, len(self._devices))

    def on(self, device: int) -> "TensorRT":
        """The same engine on only one of its GPUs."""
        return self.like(
            graphs=self._graphs, streams=self._streams, devices=self._devices[device:][:1]
        )

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
        """Load a plan on the GPU with the fewest runners of that plan."""
        cuda = self._gpu()
        with self._lock:
            device = min(self._devices, key=lambda index: self._open[plan, index])
            self._open[plan, device] += 1
        try:
            return TensorRTRunner(
                self._library,
                cuda,
                device,
                plan,
                spec,
                streams=self._streams,
                graphs=self._graphs,
                on_close=lambda: self._closed(plan, device),
            )
        except BaseException:
            self._closed(plan, device)
            raise

    def _closed(self, plan: Path, device: int) -> None:
        with self._lock:
            self._open[plan, device] -= 1

    @property
    def _target(self) -> str | None:
        """The compute capability that TensorRT-RTX compiles for, None if for all."""
        if not self._portable or self._capability or self._cuda is None:
            return self._capability
        return self._cuda.capability(self._devices[0])

    def _gpu(self) -> Cuda:
        if self._cuda is None:
            raise GpuMissingError(f"{self.name} needs a GPU to run: {self._why_no_gpu}")
        return self._cuda


def _same_kind(cuda: Cuda) -> Sequence[int]:
    """Indices of the first GPU and of all others of its kind."""
    kinds = [(cuda.name(i), cuda.capability(i)) for i in range(cuda.devices)]
    return [i for i, kind in enumerate(kinds) if kind == kinds[0]]
