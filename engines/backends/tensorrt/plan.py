"""A plan that is loaded: its weights are on the GPU."""

from pathlib import Path
from typing import TYPE_CHECKING

from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.library import Library, failure, logger, reasons_of
from engines.backends.tensorrt.memory import PAGE, rounded_up
from engines.backends.tensorrt.tensors import Tensor, tensors
from engines.catalog import ModelSpec
from engines.errors import EngineError, GpuMemoryError, PlanDamagedError
from engines.memory import Budget

if TYPE_CHECKING:
    import tensorrt as trt


class LoadedPlan:
    """A deserialised plan; its file is at least as large as its weights.

    Each runner loads its own. A runner that fails does not affect the others, and closing it frees
    the memory at once.
    """

    def __init__(
        self, library: Library, device: Device, budget: Budget, path: Path, spec: ModelSpec
    ) -> None:
        """Load a plan.

        Raises:
            GpuMemoryError: the weights do not fit.
            PlanDamagedError: the library does not load it.
        """
        self._budget = budget
        self.size = rounded_up(path.stat().st_size, PAGE)
        with budget.reserve([self.size], device.free):
            self.engine: trt.ICudaEngine = _deserialised(library, path, spec)
            self.tensors: list[Tensor] = tensors(library, self.engine)

    def close(self) -> None:
        """Free the weights; contexts of this plan must be gone."""
        del self.engine
        self._budget.release(self.size)


def _deserialised(library: Library, path: Path, spec: ModelSpec) -> "trt.ICudaEngine":
    engine: trt.ICudaEngine | None
    engine = library.Runtime(logger(library)).deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise _refusal(library, path, spec)
    return engine


def _refusal(library: Library, path: Path, spec: ModelSpec) -> EngineError:
    error = failure(library, f"loading of {path}")
    if isinstance(error, GpuMemoryError):
        return error
    return PlanDamagedError(
        f"TensorRT does not load {path} ({reasons_of(library).last_error}); "
        f"run `emotions build --force {spec.name}`"
    )
