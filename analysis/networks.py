"""The four networks of an analysis, each a runner with one input."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from analysis.close_up import CloseUps
from analysis.decode import ImageLimits
from analysis.timing import Batch
from engines.batches import in_pieces
from engines.catalog import ModelSpec
from engines.types import U8, Array, Engine, Feeds, Runner, Staging


class Plan(msgspec.Struct, frozen=True):
    """A network to open: its plan, its entry in the catalog, and its largest batch in rows."""

    path: Path
    spec: ModelSpec
    batch: int


class Rules(msgspec.Struct, frozen=True):
    """What holds for all images: limits, the detector's input (height, width), and its NMS.

    `heights` are heights that the detector's input may have instead, rising.
    """

    limits: ImageLimits
    size: tuple[int, int]
    nms_iou: float
    close_ups: CloseUps = "auto"
    heights: tuple[int, ...] = ()


class Plans(msgspec.Struct, frozen=True):
    """Everything that an analysis needs; it can be sent to another process."""

    detector: Plan
    emotion: Plan
    rules: Rules
    landmarks: Plan | None = None
    embedder: Plan | None = None

    @property
    def all(self) -> dict[str, Plan]:
        """The plans by task, absent ones left out."""
        found = (self.detector, self.landmarks, self.emotion, self.embedder)
        return {plan.spec.task: plan for plan in found if plan is not None}


@runtime_checkable
class Reporting(Protocol):
    """A runner that reports the batches that its rows were part of: a device merges rows."""

    def batches(self) -> list[Batch]:
        """The batches since the last call."""
        ...


@runtime_checkable
class Starting(Protocol):
    """A runner that can be waited for later, so that networks run side by side."""

    def start(self, feeds: Feeds) -> Callable[[], dict[str, Array]]:
        """Start a batch that fits; call the result before the next batch, it waits for outputs."""
        ...


class Network:
    """Runs rows of one network, in batches of at most `plan.batch`."""

    def __init__(self, runner: Runner, plan: Plan, beat: Callable[[], None]) -> None:
        self.batch = plan.batch
        self._runner, self._task, self._beat = runner, plan.spec.task, beat
        self._input = plan.spec.input_name
        self._batches: list[Batch] = []

    def stage(self, shape: tuple[int, ...]) -> U8:
        """Give memory for the rows of the next call, uint8: the runner need not copy it."""
        if isinstance(self._runner, Staging):
            return self._runner.stage(shape, np.dtype(np.uint8))
        return np.empty(shape, np.uint8)

    def __call__(self, rows: U8) -> dict[str, Array]:
        """Map rows (N, ...) to outputs (N, ...) by name.

        Raises:
            RunnerError: the engine failed.
        """
        return in_pieces(self._run, {self._input: rows}, self.batch)

    def start(self, rows: U8) -> Callable[[], dict[str, Array]]:
        """Like a call, but other networks may run before the result is called.

        A network of this process runs when the result is called: it would hold up the others.
        """
        if isinstance(self._runner, Starting) and len(rows) <= self.batch:
            self._beat()
            return self._runner.start({self._input: rows})
        return lambda: self(rows)

    def value(self, rows: U8) -> Array:
        """Map rows (N, ...) to the one output (N, ...) of a network that has one."""
        (output,) = self(rows).values()
        return output

    def _run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self._beat()
        started = time.monotonic()
        outputs = self._runner.infer(feeds)
        rows = len(feeds[self._input])
        self._batches.append(Batch(self._task, rows, started, started, time.monotonic()))
        return outputs

    def batches(self) -> list[Batch]:
        """The batches since the last call."""
        found, self._batches = self._batches, []
        return self._runner.batches() if isinstance(self._runner, Reporting) else found


class Networks:
    """The runners of one worker. `landmarks` and `embedder` are None where they are not used.

    `lost` says whether the process that runs them has ended.
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        plans: Plans,
        beat: Callable[[], None] = lambda: None,
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        opened = {task: Network(runners[task], plan, beat) for task, plan in plans.all.items()}
        self.all = opened
        self.rules, self.labels = plans.rules, len(plans.emotion.spec.labels)
        self.beat, self.lost = beat, lost
        self.detector, self.emotion = opened["detector"], opened["emotion"]
        self.landmarks, self.embedder = opened.get("landmarks"), opened.get("embedder")

    def batches(self) -> list[Batch]:
        """The batches of all networks since the last call."""
        return [batch for network in self.all.values() for batch in network.batches()]


@contextmanager
def opened(
    engine: Engine, plans: Plans, beat: Callable[[], None] = lambda: None
) -> Iterator[Networks]:
    """Load the plans in this process and run each once: the first run of an engine is its slowest.

    Raises:
        EngineError: a plan could not be loaded or does not run.
    """
    with ExitStack() as stack:
        runners = {
            task: stack.enter_context(engine.open(plan.path, plan.spec))
            for task, plan in plans.all.items()
        }
        networks = Networks(runners, plans, beat)
        for task, network in networks.all.items():
            network(np.zeros((1, *plans.all[task].spec.input_shape), np.uint8))
        networks.batches()
        yield networks


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut a sequence into pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
