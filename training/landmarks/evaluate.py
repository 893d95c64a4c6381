"""Errors of landmarks, of the detector and of the landmark network."""

from pathlib import Path
from typing import Any

import numpy as np

from engines.types import U8
from training.detector.annotated import Marked
from training.detector.detections import Detections, detect
from training.detector.evaluate import SEED
from training.detector.landmark_scenes import SIDES, seen
from training.detector.matching import Errors
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.geometry import place

THRESHOLD = 0.5  # lowest score of a face


def evaluate(
    network: Path, detector: RetinaFace, people: Marked, pictures: Pictures
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return landmark errors on annotated faces in scenes, by side of the scene."""

    def find(image: U8) -> Detections:
        return detect(detector, image[None], THRESHOLD)[0]

    figures = {}
    for size in SIDES:
        guessed, moved = Errors(), Errors()
        for image, guess, points in seen(find, people, pictures, size, SEED):
            guessed.add(guess, points)
            moved.add(place(network, np.ascontiguousarray(image[..., ::-1]), guess), points)
        figures[str(size)] = {"detector": guessed.figures(), "placed": moved.figures()}
    return figures
