"""An engine without plans that fails on command: `tests.engines.faulty:engine:FOLDER`.

The first value of a row decides what happens to its batch. Files in the folder decide what happens
when a runner is opened, and other files there record what happened.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import ModelSpec, Task
from engines.errors import PlanDamagedError, RunnerError
from engines.types import Array, Feeds, Runner

RAISES, DIES, HANGS, WAITS = 251, 252, 253, 254
# Files that make every runner fail to open, end its process when it opens, let `WAITS` go on, and
# make every runner wait until the file is gone.
DAMAGED, DEADLY, GO, BLOCKED = "damaged", "deadly", "go", "blocked"
# Files with a line per runner that was opened ("pid task") and per batch ("task rows").
OPENED, BATCHES = "opened", "batches"
FACE = (8.0, 8.0, 72.0, 88.0)
LABELS = 7


class FaultyRunner(Runner):
    """Answers with the first value of each row, in the form of the task."""

    def __init__(self, task: Task, folder: Path) -> None:
        self._task, self._folder = task, folder

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        (rows,) = feeds.values()
        values = rows.reshape(len(rows), -1)[:, 0]
        write(self._folder / BATCHES, f"{self._task} {len(rows)}")
        if (values == RAISES).any():
            raise RunnerError("a row was not to its taste" + self._taste())
        if (values == DIES).any():
            os.kill(os.getpid(), signal.SIGKILL)
        if (values == HANGS).any():
            time.sleep(1000)
        while (values == WAITS).any() and not (self._folder / GO).exists():
            time.sleep(0.001)
        return outputs(self._task, values)

    def _taste(self) -> str:
        """The text of the error, from a file in the folder: an error may have any text."""
        file = self._folder / "taste"
        return file.read_text(errors="surrogateescape") if file.exists() else ""

    def __exit__(self, *error: object) -> None:
        pass


class Faulty(OnnxRuntime):
    def __init__(self, folder: str) -> None:
        self.origin = f"tests.engines.faulty:engine:{folder}"
        self._folder = Path(folder)

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        write(self._folder / OPENED, f"{os.getpid()} {spec.task}")
        if (self._folder / DAMAGED).exists():
            raise PlanDamagedError(f"{spec.name} is damaged")
        if (self._folder / DEADLY).exists():
            os._exit(3)
        while (self._folder / BLOCKED).exists():
            time.sleep(0.001)
        return FaultyRunner(spec.task, self._folder)


def engine(folder: str) -> Faulty:
    return Faulty(folder)


def outputs(task: Task, values: Array) -> dict[str, Array]:
    shares = values.astype(np.float32) / 255
    match task:
        case "detector":
            count = len(values)
            return {
                "scores": np.full((count, 1), 0.9, np.float32),
                "boxes": np.tile(np.array(FACE, np.float32), (count, 1, 1)),
                "landmarks": np.full((count, 1, 5, 2), 40, np.float32),
            }
        case "landmarks":
            return {"offsets": np.zeros((len(values), 5, 2), np.float32)}
        case "emotion":
            return {"scores": np.stack([shares, *[(1 - shares) / (LABELS - 1)] * 6], axis=1)}
        case "embedder":
            return {"embedding": np.stack([shares, 1 - shares], axis=1)}


def write(file: Path, line: str) -> None:
    with file.open("a") as lines:
        lines.write(line + "\n")


def read(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
