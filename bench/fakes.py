"""Engines that need no plan: they answer without computing, or record what is opened.

Each factory takes one text, so that `engines.types.load_engine` can make the same engine in
another process from its origin, such as `bench.fakes:instant:8`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from analysis.crops import ARCFACE_TEMPLATE
from bench.simulated import Cost, Device
from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.batches import in_pieces
from engines.catalog import ModelSpec, Task
from engines.types import Array, Feeds, Runner

# The grid of faces: the detector's input is 640 pixels wide, and a 16:9 image is 360 high in it.
AREA = (640, 360)
# The first box starts so close to the corner that it is also visible in tiny images.
MARGIN = (16, 12)
# Most faces, columns, rows and the width of a box. Boxes are 4:5, as faces are.
GRIDS = ((8, 4, 2, 64), (30, 10, 3, 40))
# Part of ArcFace's crop that a detector's box covers: left, top and width.
FACE_IN_CROP = (18.0, 20.0, 76.0)
SCORE, EMBEDDING = 0.9, 128
DEVICE = Device()


class FakeRunner(Runner):
    """Gives every row the same answer; `spend` is called with the task and the number of rows."""

    def __init__(
        self, spec: ModelSpec, faces: int, spend: Callable[[Task, int], None] | None = None
    ) -> None:
        self._task, self._largest, self._spend = spec.task, spec.max_batch, spend
        self._answers = {
            name: np.repeat(row[None], self._largest, axis=0)
            for name, row in answer(spec, faces).items()
        }
        for array in self._answers.values():
            array.flags.writeable = False  # every caller gets the same memory

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Answer a batch; see `Runner.infer`."""
        return in_pieces(self._run, feeds, self._largest)

    def _run(self, feeds: Feeds) -> dict[str, Array]:
        rows = len(next(iter(feeds.values())))
        if self._spend:
            self._spend(self._task, rows)
        return {name: array[:rows] for name, array in self._answers.items()}

    def __exit__(self, *error: object) -> None:
        pass


class FakeEngine(OnnxRuntime):
    """Takes the plans of ONNX Runtime and does not run them; has the batches of a GPU."""

    def __init__(self, origin: str, faces: int, cost: Cost | None = None) -> None:
        self.origin = origin
        self._faces, self._cost = faces, cost

    def devices(self) -> int:
        """One GPU."""
        return 1

    def batch(self, spec: ModelSpec) -> int:
        """The largest batch of a plan, as on a GPU."""
        return spec.max_batch

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        """Answer without loading the plan."""
        return FakeRunner(spec, self._faces, self._spend if self._cost else None)

    def _spend(self, task: Task, rows: int) -> None:
        if self._cost:
            DEVICE.run(self._cost.milliseconds(task, rows) / 1000)


class Recorder(OnnxRuntime):
    """ONNX Runtime, which appends a line with process id and task to a file for each `open`."""

    def __init__(self, file: str) -> None:
        self.origin = f"bench.fakes:recorder:{file}"
        self._file = Path(file)

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        """Record, then load the plan."""
        with self._file.open("a") as lines:
            lines.write(f"{os.getpid()} {spec.task}\n")
        return super().open(plan, spec)


def instant(faces: str) -> FakeEngine:
    """Networks that answer at once, with this many faces in every image."""
    return FakeEngine(f"bench.fakes:instant:{faces}", int(faces))


def simulated(given: str) -> FakeEngine:
    """Networks on a device that takes time: "BATCH_MS,ROW_MS,FACES", see `Cost`."""
    batch_ms, row_ms, faces = given.split(",")
    cost = Cost(float(batch_ms), float(row_ms))
    return FakeEngine(f"bench.fakes:simulated:{given}", int(faces), cost)


def recorder(file: str) -> Recorder:
    """ONNX Runtime that records what it opens in a file."""
    return Recorder(file)


def answer(spec: ModelSpec, faces: int) -> dict[str, Array]:
    """What a network gives for one row, by output."""
    match spec.task:
        case "detector":
            return detections(faces)
        case "landmarks":
            return {"offsets": np.zeros((5, 2), np.float32)}
        case "emotion":
            scores = np.arange(1, len(spec.labels) + 1, dtype=np.float32)
            return {"scores": scores / scores.sum()}
        case "embedder":
            return {"embedding": np.full(EMBEDDING, EMBEDDING**-0.5, np.float32)}


def detections(faces: int) -> dict[str, Array]:
    """A detector's candidates for one image; without faces there is one of score 0."""
    boxes = grid(max(faces, 1))
    left, top, width = FACE_IN_CROP
    scale = (boxes[:, 2] - boxes[:, 0]) / width
    inside = (ARCFACE_TEMPLATE - (left, top))[None] * scale[:, None, None]
    return {
        "scores": np.full(len(boxes), SCORE if faces else 0, np.float32),
        "boxes": boxes.astype(np.float32),
        "landmarks": (boxes[:, None, :2] + inside).astype(np.float32),
    }


def grid(count: int) -> Array:
    """Boxes (count, 4) that do not overlap, in pixels of the detector's input.

    Raises:
        ValueError: so many do not fit.
    """
    if count > GRIDS[-1][0]:
        raise ValueError(f"{count} faces do not fit; at most {GRIDS[-1][0]} do")
    _, columns, rows, width = next(each for each in GRIDS if count <= each[0])
    number = np.arange(count)
    corners = np.stack(
        [number % columns * (AREA[0] // columns), number // columns * (AREA[1] // rows)], axis=1
    ) + np.array(MARGIN)
    return np.concatenate([corners, corners + np.array([width, width * 5 // 4])], axis=1)
