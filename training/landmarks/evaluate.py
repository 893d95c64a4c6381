"""How far landmarks are off, as the detector sees them and as they are placed."""

from pathlib import Path
from typing import Any

import numpy as np

from service.landmarks import placed
from training.detector import landmark_scenes
from training.detector.detections import detect
from training.detector.matching import Errors
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.landmarks.annotated import Marked

SEED, THRESHOLD = 2, 0.5


def evaluate(
    network: Path, detector: RetinaFace, people: Marked, pictures: Pictures
) -> dict[str, dict[str, dict[str, Any]]]:
    """Landmark errors on annotated faces in scenes, by the scenes' side."""
    figures = {}
    for size in landmark_scenes.SIDES:
        seen, moved = Errors(), Errors()
        for image, truth in landmark_scenes.scenes(people, pictures, size, SEED):
            (faces,) = detect(detector, image[None], THRESHOLD)
            rgb = np.ascontiguousarray(image[..., ::-1])
            for points in truth:
                guess = landmark_scenes.of_face(faces, points)
                seen.add(guess, points)
                moved.add(placed(network, rgb, guess), points)
        figures[str(size)] = {"detector": seen.figures(), "placed": moved.figures()}
    return figures
