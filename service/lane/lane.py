"""One image after the other through detector and emotion network, where batches gain nothing."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from engines import verify
from engines.catalog import ModelSpec
from engines.runner import Array, Engine, Runner
from service import closeups
from service.alignment import FER_SIZE
from service.detection import Letterbox
from service.record import Sample, Stage
from service.stages import U8, Cut, Options, Rules, Source, cut, prepared

# More faces are shared out among all that read faces: one reader would keep the others idle.
FEW_FACES = 2


class Networks(msgspec.Struct, frozen=True):
    """What a lane is made of: plan and spec of each network, and the rules for all images."""

    detector: tuple[Path, ModelSpec]
    emotion: tuple[Path, ModelSpec]
    rules: Rules


class Lane:
    """Owns a runner of each network; used by one thread. Warm once it is made."""

    def __init__(
        self, detector: Runner, emotion: Runner, rules: Rules, few: int = FEW_FACES
    ) -> None:
        self._runners = ExitStack()
        self._detector = self._runners.enter_context(detector)
        self._emotion = self._runners.enter_context(emotion)
        self._rules, self._few = rules, few
        self.samples: list[Sample] = []
        self._infer(np.zeros((*rules.size, 3), np.uint8))
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
        return cls(detector, emotion, networks.rules, few)

    def take(self, source: Source, options: Options) -> Cut:
        """Find the faces of one image, and read their emotions if they are few.

        `samples` has the stages that it came through, also where it raises.

        Raises:
            ServiceError: see `image.open_picture`.
            RunnerError: an engine failed.
        """
        self.samples = []
        with self._timed("decode"):
            ready = prepared(source, options, self._rules)
        with self._timed("detect"):
            row = self._detect(ready.canvas, ready.box)
        with self._timed("align"):
            found = cut(source, ready, row, options, self._rules)
        if 0 < len(found.crops) <= self._few:
            with self._timed("classify"):
                found = found._replace(crops=[], scores=self._read(found.crops))
        return found

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
        return self._emotion.infer({verify.input_name("emotion"): np.stack(crops)})["scores"]

    @contextmanager
    def _timed(self, stage: Stage) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.samples.append(Sample(stage, started, time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._runners.close()
