"""Engines that answer without computing, or that record which plans are opened."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.fakes.answers import answer
from bench.fakes.device import Cost, Device
from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.batches import in_pieces
from engines.catalog import ModelSpec, Task
from engines.gpus import Gpu
from engines.types import Array, Feeds, Runner

# All networks of a process share the device.
DEVICE = Device()
GPU = Gpu("GPU-fake", "a fake GPU", "0.0", 16 << 30)


class FakeRunner(Runner):
    """Gives every row the same answer; calls `spend` with the task and the number of rows.

    A row of a larger detector counts as several rows of 640x640. The memory of the input is
    allocated once, as the pinned memory of a GPU is.
    """

    def __init__(
        self, spec: ModelSpec, faces: int, spend: Callable[[Task, float], None] | None = None
    ) -> None:
        self._task, self._largest, self._spend = spec.task, spec.max_batch, spend
        self._weight = math.prod(spec.input_size) / 640**2 if spec.task == "detector" else 1.0
        self._answers = {
            name: np.repeat(row[None], self._largest, axis=0)
            for name, row in answer(spec, faces).items()
        }
        for array in self._answers.values():
            array.flags.writeable = False  # every caller gets the same memory
        self._input = np.empty(0, np.uint8)

    def input_buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.types.InputBuffer`."""
        size = math.prod(shape) * dtype.itemsize
        if len(self._input) < size:
            self._input = np.empty(size, np.uint8)
        return self._input[:size].view(dtype).reshape(shape)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Answer a batch; see `Runner.infer`."""
        return in_pieces(self._run, feeds, self._largest)

    def _run(self, feeds: Feeds) -> dict[str, Array]:
        rows = len(next(iter(feeds.values())))
        if self._spend:
            self._spend(self._task, rows * self._weight)
        return {name: array[:rows] for name, array in self._answers.items()}

    def __exit__(self, *error: object) -> None:
        pass


class FakeEngine(OnnxRuntime):
    """Accepts the plans of ONNX Runtime, does not run them, and has the batches of a GPU."""

    def __init__(self, origin: str, faces: int, cost: Cost | None = None) -> None:
        self.origin = origin
        self._faces, self._cost = faces, cost

    def gpus(self) -> tuple[Gpu, ...]:
        """One GPU."""
        return (GPU,)

    def batch(self, spec: ModelSpec) -> int:
        """The largest batch of a plan, as on a GPU."""
        return spec.max_batch

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        """Make a runner without loading the plan."""
        return FakeRunner(spec, self._faces, self._spend if self._cost else None)

    def _spend(self, task: Task, rows: float) -> None:
        if self._cost:
            DEVICE.run(self._cost.milliseconds(task, rows) / 1000)


def instant(faces: str) -> FakeEngine:
    """Networks that answer at once, with this many faces in every image."""
    return FakeEngine(f"bench.fakes:instant:{faces}", int(faces))


def simulated(argument: str) -> FakeEngine:
    """Networks on a device that takes time: "BATCH_MS,ROW_MS,FACES", see `Cost`."""
    batch_ms, row_ms, faces = argument.split(",")
    cost = Cost(float(batch_ms), float(row_ms))
    return FakeEngine(f"bench.fakes:simulated:{argument}", int(faces), cost)


class Recorder(OnnxRuntime):
    """ONNX Runtime that appends a line with process id and task to a file at each `open`."""

    def __init__(self, file: str) -> None:
        self.origin = f"bench.fakes:recorder:{file}"
        self._file = Path(file)

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        """Record, then load the plan."""
        with self._file.open("a") as lines:
            lines.write(f"{os.getpid()} {spec.task}\n")
        return super().open(plan, spec)


def recorder(file: str) -> Recorder:
    """ONNX Runtime that records in `file`."""
    return Recorder(file)
