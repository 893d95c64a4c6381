"""What an engine and a runner are: protocols, and types that many files share."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.catalog import ModelSpec, Precision

if TYPE_CHECKING:  # a worker runs plans and never makes one
    import onnx

Array = NDArray[Any]
U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Feeds = Mapping[str, Array]
# What a long build calls: phase, steps done, steps in all.
Report = Callable[[str, int, int], None]


class Runner(AbstractContextManager["Runner"], Protocol):
    """A loaded plan. Owned by one thread, the only one that calls it."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch: arrays (N, ...) by input name to arrays (N, ...) by output name.

        N may be any number from 1 up; what is larger than the plan's batches is run in pieces.

        Raises:
            RunnerError: the engine failed.
        """
        ...


@runtime_checkable
class Staging(Protocol):
    """A runner with memory of its own for the batch of a network with one input."""

    def stage(self, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        """Return an array that the next `infer` takes without copying it again."""
        ...


class Engine(Protocol):
    """A library that compiles ONNX graphs into plans and runs them."""

    name: str
    suffix: str
    # The name by which `load_engine` makes the same engine in another process.
    origin: str

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What it computes in, here or on the machine that it compiles for; the default first."""
        ...

    def identity(self) -> dict[str, str]:
        """Everything of library and hardware that a plan depends on."""
        ...

    def obstacle(self) -> str | None:
        """Why plans cannot be run on this machine, or None where they can."""
        ...

    def devices(self) -> int:
        """How many GPUs run its plans; 0 where the CPU's cores do."""
        ...

    def on(self, device: int) -> "Engine":
        """The same engine on one of its GPUs alone."""
        ...

    def batch(self, spec: ModelSpec) -> int:
        """The most items that are worth handing to a runner at once."""
        ...

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """The heights that items may have, rising; the last is the catalog's.

        A batch has one height, so there are several only where `batch` is 1.
        """
        ...

    def compile(
        self, model: "onnx.ModelProto", spec: ModelSpec, folder: Path, report: Report
    ) -> bytes:
        """Compile a graph into the bytes of a plan; `folder` keeps what helps the next build."""
        ...

    def open(self, plan: Path, spec: ModelSpec) -> Runner:
        """Load a plan.

        Raises:
            PlanDamagedError: the library does not take it.
        """
        ...
