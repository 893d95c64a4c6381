"""Protocols of engines and runners, and types that many files share."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.catalog import ModelSpec, Precision
from engines.gpus import Gpu

if TYPE_CHECKING:  # slow to import, and a worker only runs plans
    import onnx

Array = NDArray[Any]
U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Feeds = Mapping[str, Array]
# Called by a long build: phase, steps done, steps in total.
Report = Callable[[str, int, int], None]


class Runner(AbstractContextManager["Runner"], Protocol):
    """A loaded plan, used by one thread only."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch: arrays (N, ...) by input name to arrays (N, ...) by output name.

        N is at least 1; a batch larger than the plan's batch sizes runs in pieces.

        Raises:
            RunnerError: the engine failed.
        """
        ...


@runtime_checkable
class InputBuffer(Protocol):
    """A runner that has memory for the input of its network."""

    def input_buffer(self, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        """Return an array to fill; the next `infer` uses it without another copy."""
        ...


class Engine(Protocol):
    """A library that compiles ONNX graphs into plans and runs them."""

    name: str
    suffix: str
    # `load_engine(origin)` returns the same engine in another process.
    origin: str

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Precisions on this machine, or on the one it compiles for; the default first."""
        ...

    def identity(self) -> dict[str, str]:
        """The properties of library and hardware that a plan depends on."""
        ...

    def obstacle(self) -> str | None:
        """Why plans cannot run on this machine, or None if they can."""
        ...

    def gpus(self) -> tuple[Gpu, ...]:
        """GPUs and MIG slices that can run its plans; none if the CPU runs them.

        If no GPU can, these are all GPUs, and `obstacle` has the reason.
        """
        ...

    def on(self, gpu: Gpu) -> "Engine":
        """The same engine for only one of its GPUs.

        It opens plans only in a process in which CUDA has not started, or sees only that GPU.
        """
        ...

    def batch(self, spec: ModelSpec) -> int:
        """The largest batch worth passing to a runner."""
        ...

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """The heights that images may have, rising; the last is the catalog's.

        There are several only where `batch` is 1, since all images of a batch have one height.
        """
        ...

    def compile(
        self, model: "onnx.ModelProto", spec: ModelSpec, folder: Path, report: Report
    ) -> bytes:
        """Compile a graph into the bytes of a plan; `folder` is for caches of the builder."""
        ...

    def open(self, plan: Path, spec: ModelSpec) -> Runner:
        """Load a plan.

        Raises:
            PlanDamagedError: the library does not load it.
        """
        ...
