"""TensorRT 10.12 to 11 and TensorRT-RTX by the same code: which library, which GPUs, which plans.

A library is handed in as a module: TensorRT-RTX has TensorRT's names under a name of its own.
"""

import importlib
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import onnx

from engines.backends.tensorrt.build import Library, compiled, target
from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError, GpuMissingError
from engines.types import Report, Runner

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx_bindings"}
# Streams of a runner. A device process has two runners of each network, in threads of their own:
# the copies of one overlap with the computation of the other.
LANES = 1
OLDEST, TOO_NEW = (10, 12), (12,)
# What TensorRT-RTX compiles for when it is not told: every GPU from compute capability 8.0 up.
PORTABLE = "8.0 and later"


class TensorRT:
    """The engine: a plan is a network compiled for a kind of GPU, with a profile a batch size.

    TensorRT measures on the GPU what it compiles, so its plans are bound to that GPU. TensorRT-RTX
    compiles for a compute capability, on any machine, and finishes on the GPU when a plan is
    loaded.
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
        lanes: int = LANES,
        devices: Sequence[int] = (),
    ) -> None:
        self.name = self.origin = name
        self._library, self._cuda = library, cuda
        self._portable = name == "tensorrt-rtx"
        self._capability = capability
        self._why_no_gpu = why_no_gpu
        self._graphs, self._lanes = graphs, lanes
        self._devices = devices or (_alike(cuda) if cuda else ())
        self._open: Counter[tuple[Path, int]] = Counter()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str, capability: str | None = None) -> "TensorRT":
        """Import the library called `name` and look for GPUs.

        Raises:
            GpuMissingError: the library is not installed, or it is TensorRT's and there is no GPU.
            EngineError: the library is too old or too new.
        """
        library = _library(name)
        if capability is not None and name != "tensorrt-rtx":
            raise EngineError("TensorRT builds for the GPU it runs on; only tensorrt-rtx is told")
        try:
            return cls(name, library, Cuda.load(), capability=capability)
        except GpuMissingError as missing:
            if name == "tensorrt":
                raise
            return cls(name, library, None, capability=capability, why_no_gpu=str(missing))

    def like(self, *, graphs: bool, lanes: int, devices: Sequence[int] = ()) -> "TensorRT":
        """The same engine with other ways to run, for the same plans; what a benchmark compares."""
        return TensorRT(
            self.name,
            self._library,
            self._cuda,
            capability=self._capability,
            graphs=graphs,
            lanes=lanes,
            devices=devices,
        )

    @property
    def cuda(self) -> Cuda | None:
        """The GPUs, if there are any."""
        return self._cuda

    def identity(self) -> dict[str, str]:
        """The library's version and the GPU or the compute capability that plans are for."""
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
        """Why plans for this engine cannot be run on this machine; None where they can."""
        if self._cuda is None:
            return self._why_no_gpu or "there is no GPU"
        here = self._cuda.capability(self._devices[0])
        if self._capability not in {None, here}:
            return f"the plan is for compute capability {self._capability}, the GPU has {here}"
        if self._portable and target(self._library, here) is None:
            return f"TensorRT-RTX does not know GPUs of compute capability {here}"
        return None

    def devices(self) -> int:
        """The first GPU and all of its kind: they share plans."""
        return max(1, len(self._devices))

    def on(self, device: int) -> "TensorRT":
        """The same engine on one of its GPUs alone."""
        return self.like(graphs=self._graphs, lanes=self._lanes, devices=self._devices[device:][:1])

    def batch(self, spec: ModelSpec) -> int:
        """A largest batch for each lane."""
        return self._lanes * spec.max_batch

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """Only the catalog's: images of all callers share batches, and a batch has one shape."""
        return spec.input_shape[:1]

    def compile(
        self, model: onnx.ModelProto, spec: ModelSpec, folder: Path, report: Report
    ) -> bytes:
        """Compile a graph with a profile for each of the model's batch sizes.

        Raises:
            EngineError: the library does not take the graph; the message has its words.
        """
        cache = None if self._portable else folder / "timing.cache"
        return compiled(
            self._library, model, spec, capability=self._target, timing=cache, report=report
        )

    def open(self, plan: Path, spec: ModelSpec) -> Runner:
        """Load a plan on the GPU that has the fewest runners of it."""
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
                lanes=self._lanes,
                graphs=self._graphs,
                closed=lambda: self._closed(plan, device),
            )
        except BaseException:
            self._closed(plan, device)
            raise

    def _closed(self, plan: Path, device: int) -> None:
        with self._lock:
            self._open[plan, device] -= 1

    @property
    def _target(self) -> str | None:
        """The compute capability that TensorRT-RTX compiles for, if not for all."""
        if not self._portable or self._capability or self._cuda is None:
            return self._capability
        return self._cuda.capability(self._devices[0])

    def _gpu(self) -> Cuda:
        if self._cuda is None:
            raise GpuMissingError(f"{self.name} needs a GPU to run: {self._why_no_gpu}")
        return self._cuda


def _alike(cuda: Cuda) -> Sequence[int]:
    """The first GPU and all of its kind: they share plans."""
    kinds = [(cuda.name(i), cuda.capability(i)) for i in range(cuda.devices)]
    return [i for i, kind in enumerate(kinds) if kind == kinds[0]]


def _library(name: str) -> Library:
    try:
        library = cast(Library, importlib.import_module(MODULES[name]))
    except (ImportError, OSError) as error:
        raise GpuMissingError(f"the library of {name} is not installed here: {error}") from error
    version = tuple(int(part) for part in library.__version__.split(".")[:2])
    if name == "tensorrt" and not OLDEST <= version < TOO_NEW:
        raise EngineError(
            f"TensorRT {library.__version__} is not supported: 10.12 to 11 are; "
            "build the image of docker/Dockerfile.gpu"
        )
    return library
