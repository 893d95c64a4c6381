"""All runs that made the emotion network that ships, as a table, and what executes them."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from training.emotion.recipe import load_recipe
from training.errors import TrainingError

COMMON = (
    "--network mobileface --label-weight 0.5 --fit-votes --smoothing 0.025 --mixup 0.2"
    " --optimizer adamw --weight-decay 0.05 --batch 64 --epochs 200 --tone 0.3 --degrade 0.12"
    " --erase 0.12"
)
HALF = "--mixed-precision"
FINE = "--fine"
LABELS_ONLY = f"{HALF} --label-weight 1 --no-fit-votes --smoothing 0.05"
NETWORK = "emotion-fer48.onnx"


class Train(NamedTuple):
    """A training of at most ``minutes`` from the last weights of the run ``start``.

    An empty ``start`` stands for face recognition. The other fields are options of ``train``.
    """

    out: str
    start: str
    minutes: float
    rate: float
    sides: str
    seed: int
    options: str = HALF


class Refine(NamedTuple):
    """The fine form of another run, see `training.emotion.refine`."""

    out: str
    run: str


class Join(NamedTuple):
    """Several runs as one network, each with a view of its own."""

    out: str
    runs: tuple[str, ...]
    views: str


class Export(NamedTuple):
    """The ONNX file of a run."""

    out: str
    run: str


Step = Train | Refine | Join | Export
STEPS: tuple[Step, ...] = (
    Train("first", "", 112, 3e-4, "0:32,0.45:36", 41),
    Train("first-on", "first", 104, 2e-4, "0:36", 41),
    Train("first-last", "first-on", 86, 3e-4, "0:36", 81),
    Refine("first-fine", "first-last"),
    Train("first-72", "first-fine", 108, 3e-4, "0:72", 91, FINE),
    Train("first-72-on", "first-72", 98, 2.5e-4, "0:72", 241, FINE),
    # The second network learns from the labels only at first, and later from votes, too.
    Train("second", "", 90, 3e-4, "0:32,0.45:40", 10, LABELS_ONLY),
    Train("second-on", "second", 98, 2e-4, "0:36,0.6:40", 51),
    Train("second-last", "second-on", 98, 2e-4, "0:36,0.6:40", 61),
    Refine("second-fine", "second-last"),
    Train("second-76", "second-fine", 152, 3e-4, "0:76", 102, FINE),
    Train("third", "", 104, 3e-4, "0:32,0.45:36", 43),
    Train("third-on", "third", 98, 2e-4, "0:36", 43),
    Train("third-last", "third-on", 98, 2e-4, "0:36", 63),
    Refine("third-fine", "third-last"),
    Train("third-72", "third-fine", 108, 3e-4, "0:72", 93, FINE),
    Join("all", ("first-72-on", "second-76", "third-72"), "zoom=1.1 up=2 mirrored"),
    Export(NETWORK, "all"),
)


@dataclass(frozen=True)
class Reproduction:
    """Where the steps read and write, and how long trainings take.

    data: FER-2013 with FER+ votes. start: ``.wts`` file of face recognition. out: folder of the
    runs. scale: factor of all ``minutes``. threads: CPU threads per run.
    """

    data: Path
    start: Path
    out: Path
    scale: float = 1.0
    threads: int = 1

    def run(self, steps: tuple[Step, ...] = STEPS) -> None:
        """Execute every step that is not finished; a cut training resumes.

        Each step is a process of its own with the Keras backend that it needs.

        Raises:
            TrainingError: a step failed, or its folder holds a run with other options.

        """
        for step in steps:
            if self.finished(step):
                print(f"{step.out}: finished", flush=True)
                continue
            print(f"{step.out}: {shlex.join(self.arguments(step))}", flush=True)
            if _process(step, self.arguments(step)):
                raise TrainingError(f"{step.out} failed; the same command resumes from there")

    def arguments(self, step: Step) -> list[str]:
        """Return the arguments of `python -m training.emotion` for a step."""
        return [*self._arguments(step), "--out", str(self.out / step.out)]

    def _arguments(self, step: Step) -> Iterator[str]:
        threads = ("--threads", str(self.threads))
        data = ("--data", str(self.data))
        match step:
            case Train():
                yield from ("train", *data, *threads, *COMMON.split())
                yield from ("--start", str(self._weights(step.start)), "--rate", str(step.rate))
                yield from ("--minutes", str(step.minutes * self.scale), "--sides", step.sides)
                yield from ("--seed", str(step.seed), *step.options.split())
            case Refine():
                yield from ("refine", str(self.out / step.run), *threads)
            case Join():
                yield from ("join", *(str(self.out / run) for run in step.runs), *data, *threads)
                yield from ("--views", *step.views.split())
            case Export():
                yield from ("export", str(self.out / step.run), *data, *threads)
                yield from ("--weights", "last")

    def _weights(self, run: str) -> Path:
        return self.out / run / "last.weights.h5" if run else self.start

    def finished(self, step: Step) -> bool:
        """Return whether a step has written everything.

        Raises:
            TrainingError: its folder holds a training with another schedule, such as a rehearsal.

        """
        out = self.out / step.out
        match step:
            case Train():
                return self._finished(step)
            case Export():
                return out.exists()
            case _:
                return (out / "last.weights.h5").exists()

    def _finished(self, step: Train) -> bool:
        from training.emotion.train import finished  # noqa: PLC0415 - imports Keras

        out = self.out / step.out
        saved = out / "recipe.json"
        minutes = step.minutes * self.scale
        if saved.exists() and not math.isclose(load_recipe(saved).minutes, minutes):
            raise TrainingError(
                f"{out} holds a run of other minutes than {minutes:g}: choose another --out"
            )
        return finished(out)


def _process(step: Step, arguments: list[str]) -> int:
    """Run a step and return its exit status. Only TensorFlow can export."""
    backend = "tensorflow" if isinstance(step, Export) else "torch"
    environment = {**os.environ, "KERAS_BACKEND": backend}  # noqa: TID251 - passed on to the step
    command = [sys.executable, "-m", "training.emotion", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - ours
