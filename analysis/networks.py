"""The four networks of an analysis, each a runner with one input."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from analysis.jpegs.types import JpegDecoder
from analysis.on_demand import OnDemandRunner
from analysis.plans import ModelPlan, ModelPlans
from analysis.timing import Batch
from engines.batches import in_pieces
from engines.libraries.select import open_runner
from engines.types import U8, Array, Engine, Feeds, InputBuffer, Runner


@runtime_checkable
class Reporting(Protocol):
    """A runner that reports its batches itself, because a device merges the rows of many."""

    def take_batches(self) -> list[Batch]:
        """Return the batches since the last call."""
        ...


@runtime_checkable
class Starting(Protocol):
    """A runner that can start a batch without waiting for it, so that networks run side by side."""

    def start(self, feeds: Feeds) -> Callable[[], dict[str, Array]]:
        """Start a batch that fits the plan; the returned function waits for the outputs.

        Call it before the next batch.
        """
        ...


class Network:
    """Runs rows of one network, in batches of at most `batch` rows."""

    def __init__(self, runner: Runner, plan: ModelPlan, beat: Callable[[], None]) -> None:
        self.batch = plan.batch
        self.task = plan.spec.task
        self._runner, self._beat = runner, beat
        self._input = plan.spec.input_name
        self._batches: list[Batch] = []

    def input_buffer(self, shape: tuple[int, ...]) -> U8:
        """Return memory for the rows of the next call, uint8; the runner need not copy it."""
        if isinstance(self._runner, InputBuffer):
            return self._runner.input_buffer(shape, np.dtype(np.uint8))
        return np.empty(shape, np.uint8)

    def __call__(self, rows: U8) -> dict[str, Array]:
        """Map rows (N, ...) to outputs (N, ...) by name.

        Raises:
            RunnerError: the engine failed.
        """
        return in_pieces(self._run, {self._input: rows}, self.batch)

    def output(self, rows: U8) -> Array:
        """Map rows (N, ...) to the output (N, ...) of a network that has only one."""
        (output,) = self(rows).values()
        return output

    def start(self, rows: U8) -> Callable[[], dict[str, Array]]:
        """Start a call; the returned function waits for the outputs.

        Other networks may run before that function is called. A runner that is not `Starting` runs
        in that function, because running now would delay the other networks.
        """
        if isinstance(self._runner, Starting) and len(rows) <= self.batch:
            self._beat()
            return self._runner.start({self._input: rows})
        return lambda: self(rows)

    def take_batches(self) -> list[Batch]:
        """Return the batches since the last call."""
        batches, self._batches = self._batches, []
        return self._runner.take_batches() if isinstance(self._runner, Reporting) else batches

    def _run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self._beat()
        started = time.monotonic()
        outputs = self._runner.infer(feeds)
        rows = len(feeds[self._input])
        self._batches.append(Batch(self.task, rows, started, started, time.monotonic()))
        return outputs


class Networks:
    """The networks of one worker; `landmarks` and `embedder` are None if they are not in use.

    `detectors` are one network with several inputs, in the order of `Rules.inputs`.

    Each step calls `beat` first, to show that the worker makes progress. `lost` returns whether
    the process that runs the networks has ended. `jpeg_decoder` is the one of their GPU, if any.
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        plans: ModelPlans,
        beat: Callable[[], None] = lambda: None,
        lost: Callable[[], bool] = lambda: False,
        jpeg_decoder: JpegDecoder | None = None,
    ) -> None:
        networks = {name: Network(runners[name], plan, beat) for name, plan in plans.all.items()}
        self.all = networks
        self.rules, self.label_count = plans.rules, len(plans.emotion.spec.labels)
        self.beat, self.lost = beat, lost
        self.jpeg_decoder = jpeg_decoder
        # In the order of `Rules.inputs`.
        self.detectors = [each for each in networks.values() if each.task == "detector"]
        self.emotion = networks["emotion"]
        self.landmarks, self.embedder = networks.get("landmarks"), networks.get("embedder")

    def take_batches(self) -> list[Batch]:
        """Return the batches of all networks, and of the decoder, since the last call."""
        batches = [batch for network in self.all.values() for batch in network.take_batches()]
        if self.jpeg_decoder is not None:
            batches += self.jpeg_decoder.take_batches()
        return batches


@contextmanager
def open_networks(
    engine: Engine,
    plans: ModelPlans,
    beat: Callable[[], None] = lambda: None,
    opening: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Networks]:
    """Load the plans in this process, and run each once because an engine's first run is slow.

    Those of larger detectors are loaded when an image first needs them. Plans are loaded and run
    first in blocks of `opening`, since this may take long; see `Networks` about `beat`.

    Raises:
        EngineError: a plan cannot be loaded or does not run.
    """

    def opened(plan: ModelPlan) -> Runner:
        with opening():
            if plan.spec.library:
                return open_runner(plan.spec)
            return engine.open(plan.path, plan.spec)

    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for name, plan in plans.all.items():
            on_demand = plan in plans.larger
            runner = OnDemandRunner(partial(opened, plan)) if on_demand else opened(plan)
            runners[name] = stack.enter_context(runner)
        networks = Networks(runners, plans, beat)
        with opening():
            for name, plan in plans.all.items():
                if plan not in plans.larger:
                    networks.all[name](np.zeros((1, *plan.spec.input_shape), np.uint8))
        networks.take_batches()
        yield networks
