"""Images through detector, one after the other, and emotion network: all on one core."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np

from engines import verify
from engines.catalog import ModelSpec
from engines.runner import Array, Engine, Runner, in_pieces
from service import closeups, landmarks
from service.alignment import FER_SIZE
from service.detection import Letterbox
from service.errors import ServiceError
from service.record import Sample, Stage
from service.stages import U8, Cut, Options, Rules, Source, cut, prepared

# More faces are shared out among all that read faces: one reader would keep the others idle.
FEW_FACES = 2


class Networks(msgspec.Struct, frozen=True):
    """What a lane is made of: plan and spec of each network, and the rules for all images."""

    detector: tuple[Path, ModelSpec]
    emotion: tuple[Path, ModelSpec]
    rules: Rules


class Task(NamedTuple):
    """An image and what is asked of it."""

    source: Source
    options: Options


class Passed(NamedTuple):
    """What a lane gives: faces, or what is wrong with the image; and the time of each stage.

    `read` is how many faces were read in one go, this image's among them; it is told with the first
    of the images that they are of, and 0 with the others.
    """

    outcome: Cut | ServiceError
    samples: list[Sample]
    read: int = 0


class Lane:
    """Owns a runner of each network; used by one thread. Warm once it is made."""

    def __init__(
        self, detector: Runner, emotion: Runner, rules: Rules, few: int, at_once: int
    ) -> None:
        self._runners = ExitStack()
        self._detector = self._runners.enter_context(detector)
        self._emotion = self._runners.enter_context(emotion)
        self._rules, self._few, self._at_once = rules, few, at_once
        self._infer(np.zeros((*rules.size, 3), np.uint8))
        landmarks.warm(rules.landmarks)
        self._read([np.zeros((FER_SIZE, FER_SIZE), np.uint8)])

    @classmethod
    def open(cls, engine: Engine, networks: Networks, few: int = FEW_FACES) -> Self:
        """Load the plans.

        Raises:
            PlanDamaged: the engine does not take one.
        """
        detector = engine.open(*networks.detector)
        try:
            emotion = engine.open(*networks.emotion)
        except BaseException:
            detector.__exit__(None, None, None)
            raise
        return cls(detector, emotion, networks.rules, few, engine.batch(networks.emotion[1]))

    def take(self, tasks: Sequence[Task]) -> list[Passed]:
        """Find the faces of one image after the other, then read those of all that have few.

        Raises:
            RunnerError: an engine failed.
        """
        passed = [self._found(task) for task in tasks]
        cuts = {
            index: outcome
            for index, (outcome, *_) in enumerate(passed)
            if isinstance(outcome, Cut) and 0 < len(outcome.crops) <= self._few
        }
        if not cuts:
            return passed
        started = time.monotonic()
        scores = self._read([crop for found in cuts.values() for crop in found.crops])
        sample, told = Sample("classify", started, time.monotonic()), len(scores)
        for index, found in cuts.items():
            own, scores = np.split(scores, [len(found.crops)])
            read = found._replace(crops=[], scores=own)
            passed[index] = Passed(read, [*passed[index].samples, sample], told)
            told = 0
        return passed

    def _found(self, task: Task) -> Passed:
        samples: list[Sample] = []
        try:
            return Passed(self._cut(task, samples), samples)
        except ServiceError as error:
            return Passed(error, samples)

    def _cut(self, task: Task, samples: list[Sample]) -> Cut:
        with _timed("decode", samples):
            ready = prepared(task.source, task.options, self._rules)
        with _timed("detect", samples):
            row = self._detect(ready.canvas, ready.box)
        with _timed("align", samples):
            return cut(task.source, ready, row, task.options, self._rules)

    def _detect(self, canvas: U8, box: Letterbox) -> dict[str, Array]:
        row = self._infer(canvas)
        if not closeups.wanted(row, self._rules.close_ups):
            return row
        small = closeups.second_look(canvas, box, self._rules.heights)
        return closeups.merged(row, self._infer(small), small.shape, box)

    def _infer(self, canvas: U8) -> dict[str, Array]:
        outputs = self._detector.infer({verify.input_name("detector"): canvas[None]})
        return {name: array[0] for name, array in outputs.items()}

    def _read(self, crops: list[U8]) -> Array:
        feeds = {verify.input_name("emotion"): np.stack(crops)}
        return in_pieces(self._emotion.infer, feeds, self._at_once)["scores"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._runners.close()


@contextmanager
def _timed(stage: Stage, samples: list[Sample]) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        samples.append(Sample(stage, started, time.monotonic()))
