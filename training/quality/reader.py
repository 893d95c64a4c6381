"""Reads the face of a picture with the networks of the service, and keeps the emotion crop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from analysis.analyze import analyze
from analysis.networks import Networks, open_networks
from analysis.types import Analysis, Detections, Input, Options
from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.catalog import ModelSpec
from engines.types import F32, F64, U8, Array, Feeds
from service.factory import find_models, plans_of
from service.settings import Settings
from training.detector.paste import FACE_CENTRE


class Reading(NamedTuple):
    """One face as the service reads it.

    face: one row, in pixels of the picture; crop: of the emotion network, uint8 (48, 48); scores:
    its softmax, (7,).
    """

    face: Detections
    crop: U8
    scores: F32


class Recorder(OnnxRuntimeRunner):
    """A runner that appends the rows of its input to `rows`."""

    def __init__(self, plan: Path, spec: ModelSpec, rows: list[Array]) -> None:
        super().__init__(plan, spec)
        self._rows = rows

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        self._rows.extend(row.copy() for batch in feeds.values() for row in batch)
        return super().infer(feeds)


class RecordingEngine(OnnxRuntime):
    """ONNX Runtime; `crops` are the rows that the emotion network saw."""

    def __init__(self) -> None:
        self.crops: list[Array] = []

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        """Load a plan; see `Engine.open`."""
        if spec.task == "emotion":
            return Recorder(plan, spec, self.crops)
        return super().open(plan, spec)


class Reader:
    """Reads pictures, one at a time."""

    def __init__(self, networks: Networks, crops: list[Array]) -> None:
        self._networks, self._crops = networks, crops

    def read(self, photo: U8) -> Reading | None:
        """Read the face in the middle of a photograph, BGR; None if no face is found there."""
        self._crops.clear()
        pixels = np.asarray(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB), np.uint8)
        (result,) = analyze([Input(pixels, Options())], self._networks)
        return self._at(result.unwrap(), np.array(FACE_CENTRE) * pixels.shape[1::-1])

    def _at(self, found: Analysis, middle: F64) -> Reading | None:
        """Return the face whose box is around the point `middle` (2,)."""
        boxes = found.faces.boxes
        around = ((boxes[:, :2] < middle) & (middle < boxes[:, 2:])).all(axis=1)
        if not around.any():
            return None
        index = int(around.argmax())  # the largest, since faces are sorted
        face = Detections(*(part[index : index + 1] for part in found.faces))
        return Reading(face, np.asarray(self._crops[index], np.uint8), found.scores[index])


@contextmanager
def reading(settings: Settings) -> Iterator[Reader]:
    """Open the networks of the service, on ONNX Runtime, in this process."""
    engine = RecordingEngine()
    plans = plans_of(settings, find_models(settings, engine))
    with open_networks(engine, plans) as networks:
        yield Reader(networks, engine.crops)
