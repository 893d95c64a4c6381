"""Networks without weights that record their inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analysis.networks import Networks
from analysis.plans import ModelPlan, ModelPlans
from analysis.types import DetectorInput
from engines.catalog import Catalog, Task
from engines.types import Array, Feeds, Runner
from tests.analysis.pictures import rules

MODELS: dict[Task, str] = {
    "detector": "retinaface-mnet025",
    "landmarks": "landmarks-64",
    "emotion": "emotion-fer48",
    "embedder": "arcface-mobilefacenet",
}
Box = tuple[float, float, float, float]


@dataclass
class Recorder:
    """Records the inputs of all networks of a worker, in order; heartbeats are among the events."""

    boxes: Sequence[Box] = ((100.0, 100.0, 200.0, 228.0),)
    score: float = 0.9
    events: list[str] = field(default_factory=list)
    rows: dict[Task, list[Array]] = field(default_factory=lambda: {task: [] for task in MODELS})
    fails: Callable[[Task], bool] = lambda task: False

    def beat(self) -> None:
        self.events.append("beat")

    def networks(
        self, *, images: int = 1, faces: int = 8, kind: "type[FakeRunner] | None" = None
    ) -> Networks:
        """All four networks; `images` is the batch of the detector, `faces` that of the others."""
        kind = kind or FakeRunner
        found = plans(images, faces)
        runners = {name: kind(plan.spec.task, self) for name, plan in found.all.items()}
        return Networks(runners, found, self.beat)

    def crops(self) -> Array:
        """The inputs of the emotion network."""
        return np.concatenate(self.rows["emotion"])

    def answer(self, task: Task, count: int) -> dict[str, Array]:
        match task:
            case "detector":
                boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
                centres = boxes.reshape(-1, 2, 2).mean(axis=1)
                spread = (boxes[:, 2:] - boxes[:, :2])[:, None] * EYES_AND_MOUTH
                row = {
                    "scores": np.full(len(boxes), self.score, np.float32),
                    "boxes": boxes,
                    "landmarks": centres[:, None] + spread,
                }
                return {name: np.repeat(values[None], count, 0) for name, values in row.items()}
            case "landmarks":
                return {"offsets": np.zeros((count, 5, 2), np.float32)}
            case "emotion":
                return {"scores": np.full((count, 7), 1 / 7, np.float32)}
            case "embedder":
                return {"embedding": np.full((count, 4), 0.5, np.float32)}


# Landmarks as shares of a box, from its middle.
EYES_AND_MOUTH = np.array(
    [[-0.2, -0.1], [0.2, -0.1], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]], np.float32
)


class FakeRunner(Runner):
    def __init__(self, task: Task, recorder: Recorder) -> None:
        self._task, self._recorder = task, recorder

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        (rows,) = feeds.values()
        self._recorder.events.append(self._task)
        self._recorder.rows[self._task].append(rows.copy())
        if self._recorder.fails(self._task):
            raise RuntimeError("the engine is broken")
        return self._recorder.answer(self._task, len(rows))

    def __exit__(self, *error: object) -> None:
        pass


class BufferedRunner(FakeRunner):
    """Has memory of its own for its rows; `infer` requires them to be in it."""

    staged: Array

    def input_buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        self.staged = np.full(shape, 0xA5, dtype)
        return self.staged

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        (rows,) = feeds.values()
        if self._task != "landmarks":
            assert np.shares_memory(rows, self.staged)
        return super().infer(feeds)


class StartingRunner(FakeRunner):
    """Runs a batch when its outputs are requested."""

    def start(self, feeds: Feeds) -> Callable[[], dict[str, Array]]:
        self._recorder.events.append(f"start {self._task}")
        rows = {name: array.copy() for name, array in feeds.items()}
        return lambda: self.infer(rows)


def plans(images: int = 1, faces: int = 8) -> ModelPlans:
    """Plans without files."""
    catalog = Catalog.load()

    def plan(task: Task) -> ModelPlan:
        batch = images if task == "detector" else faces
        return ModelPlan(Path("plan"), catalog.get(MODELS[task]), batch)

    detector = plan("detector")
    larger = tuple(ModelPlan(Path("plan"), spec, images) for spec in detector.spec.larger)
    inputs = [DetectorInput(each.spec.input_size) for each in (detector, *larger)]
    return ModelPlans(
        detector,
        plan("emotion"),
        rules(inputs=inputs),
        plan("landmarks"),
        plan("embedder"),
        larger,
    )
