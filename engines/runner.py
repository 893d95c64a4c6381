"""The seam between a model and what runs it: Runner, Engine, and the one place that picks."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError

if TYPE_CHECKING:  # a worker runs plans and never makes one
    import onnx

Array = NDArray[Any]
Feeds = Mapping[str, Array]
# What a long build calls: phase, steps done, steps in all.
Report = Callable[[str, int, int], None]
ENGINES = ("tensorrt", "tensorrt-rtx", "openvino", "onnxruntime")


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
            PlanDamaged: the library does not take it.
        """
        ...


def load_engine(name: str, capability: str | None = None) -> Engine:
    """Return the engine called `name`, importing its library only now.

    `capability` as `8.9` is the compute capability that tensorrt-rtx compiles for. A name
    "package.module:factory:argument" is an engine that the factory makes of the argument.

    Raises:
        EngineError: there is no such engine, or its library or GPU is not here.
    """
    match name:
        case "auto":
            from engines.choice import choose  # noqa: PLC0415

            return choose(name).engine
        case "onnxruntime":
            from engines.onnxruntime import OnnxRuntime  # noqa: PLC0415

            return OnnxRuntime()
        case "openvino":
            from engines.openvino import OpenVino  # noqa: PLC0415

            return OpenVino()
        case "tensorrt" | "tensorrt-rtx":
            from engines.tensorrt import TensorRT  # noqa: PLC0415

            return TensorRT.load(name, capability)
        case _ if name.count(":") == 2:
            module, factory, argument = name.split(":")
            made: Engine = getattr(importlib.import_module(module), factory)(argument)
            return made
        case _:
            raise EngineError(f"no engine {name!r}; there are: auto, {', '.join(ENGINES)}")


def in_pieces(
    run: Callable[[Feeds], dict[str, Array]], feeds: Feeds, largest: int
) -> dict[str, Array]:
    """Run a batch of any size through `run`, which takes at most `largest` rows at once."""
    pieces = [run(piece) for piece in _pieces(feeds, largest)]
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _pieces(feeds: Feeds, largest: int) -> Iterator[Feeds]:
    rows = len(next(iter(feeds.values())))
    if rows <= largest:
        yield feeds
        return
    for start in range(0, rows, largest):
        yield {name: array[start : start + largest] for name, array in feeds.items()}
