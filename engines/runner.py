"""The seam between a model and what runs it: Runner, Engine, and the one place that picks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from engines.catalog import ModelSpec
from engines.errors import EngineError

Array = NDArray[Any]
Feeds = Mapping[str, Array]


class Runner(AbstractContextManager["Runner"], Protocol):
    """A loaded plan. Owned by one thread, the only one that calls it."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch: arrays (N, ...) by input name to arrays (N, ...) by output name.

        N may be any number from 1 up; what is larger than the plan's batches is run in pieces.

        Raises:
            RunnerError: the engine failed.
        """
        ...


class Engine(Protocol):
    """A library that compiles ONNX graphs into plans and runs them."""

    name: str
    suffix: str

    def identity(self) -> dict[str, str]:
        """Everything of library and hardware that a plan depends on."""
        ...

    def compile(self, model: onnx.ModelProto, spec: ModelSpec) -> bytes:
        """Compile a graph into the bytes of a plan."""
        ...

    def open(self, plan: Path, spec: ModelSpec) -> Runner:
        """Load a plan.

        Raises:
            PlanDamaged: the library does not take it.
        """
        ...


def load_engine(name: str) -> Engine:
    """Return the engine called `name`, importing its library only now.

    Raises:
        EngineError: there is no such engine.
    """
    match name:
        case "auto" | "onnxruntime":
            from engines.onnxruntime import OnnxRuntime  # noqa: PLC0415

            return OnnxRuntime()
        case _:
            raise EngineError(f"no engine {name!r}; there are: auto, onnxruntime")


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
