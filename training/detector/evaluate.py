"""Figures of a detector on held-out faces, alone and against a reference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from engines.geometry import overlaps
from engines.types import F32, U8
from training.detector.annotated import Marked
from training.detector.detections import Detections, detect
from training.detector.landmark_scenes import SIDES, seen
from training.detector.matching import Errors, Recall, landmark_error, match
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.scenes import make_scene

SEED = 2  # of the scenes, different from training
Figures = Mapping[str, object]


@dataclass(frozen=True)
class Trial:
    """Test data: held-out pictures, sizes of the sets, and the lowest score of a face."""

    pictures: Pictures
    annotated: Marked
    scenes: int
    size: int
    threshold: float

    def made_up(self) -> Iterator[tuple[U8, F32]]:
        """Yield scenes with their pasted faces."""
        for index in range(self.scenes):
            scene = make_scene(self.pictures, self.size, SEED, index)
            yield scene.image, scene.faces

    def faces(self, network: RetinaFace, image: U8) -> Detections:
        """Detect the faces of one picture with `network`."""
        (detections,) = detect(network, image[None], self.threshold)
        return detections


def against_pasted(network: RetinaFace, trial: Trial) -> Figures:
    """Return the recall of the faces that were pasted into the scenes, by nominal box."""
    recall = Recall()
    for image, faces in trial.made_up():
        recall.add(faces, match(trial.faces(network, image).boxes, faces))
    return recall.table()


@dataclass
class Agreement:
    """Figures of one network with the faces of another as the truth."""

    recall: Recall = field(default_factory=Recall)
    extra: int = 0
    found: int = 0
    overlap: list[float] = field(default_factory=list)
    landmarks: list[float] = field(default_factory=list)

    def add(self, found: Detections, wanted: Detections) -> None:
        """Add one picture."""
        pairs = match(found.boxes, wanted.boxes)
        self.recall.add(wanted.boxes, pairs)
        self.found += len(found.boxes)
        self.extra += len(found.boxes) - int((pairs >= 0).sum())
        for place, pair in enumerate(pairs):
            if pair >= 0:
                boxes = found.boxes[pair : pair + 1], wanted.boxes[place : place + 1]
                self.overlap.append(float(overlaps(*boxes)[0, 0]))
                self.landmarks.append(
                    landmark_error(found.landmarks[pair], wanted.landmarks[place])
                )

    def figures(self) -> Figures:
        """Return recall by size, precision, and medians over the matched faces."""
        return {
            "recall": self.recall.table(),
            "precision": 1 - self.extra / max(self.found, 1),
            "median_iou": float(np.median(self.overlap or [np.nan])),
            "median_landmark_error": float(np.median(self.landmarks or [np.nan])),
        }


def against_reference(network: RetinaFace, reference: RetinaFace, trial: Trial) -> Figures:
    """Return the agreement with `reference` on the scenes."""
    agreement = Agreement()
    for image, _ in trial.made_up():
        agreement.add(trial.faces(network, image), trial.faces(reference, image))
    return agreement.figures()


def on_landmarks(network: RetinaFace, trial: Trial, size: int) -> Figures:
    """Return landmark errors on annotated faces in scenes of `size` pixels, also by face size."""
    errors = Errors()
    find = partial(trial.faces, network)
    for _, found, points in seen(find, trial.annotated, trial.pictures, size, SEED):
        errors.add(found, points)
    return errors.figures()


def evaluate(network: RetinaFace, reference: RetinaFace | None, trial: Trial) -> Figures:
    """Return all figures of `network`, and those of `reference`."""
    figures: dict[str, object] = {
        "pasted": against_pasted(network, trial),
        "landmarks": {f"{side}": on_landmarks(network, trial, side) for side in SIDES},
    }
    if reference is not None:
        figures["agreement"] = against_reference(network, reference, trial)
        figures["reference"] = evaluate(reference, None, trial)
    return figures
