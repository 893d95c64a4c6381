"""Photographs of people in profile, by the landmarks of a detector."""

from itertools import chain

import numpy as np

from engines.types import U8
from training.detector.detections import Detections, detect
from training.detector.network import RetinaFace

# A face is in profile if its nose is further than this from the middle of the eyes, measured along
# the line of the eyes, in distances between the eyes. A frontal face has about 0.
ASIDE = 0.3
INPUT = 256  # side of the network's input, in pixels
AT_ONCE = 32


def in_profile(network: RetinaFace, photographs: U8) -> U8:
    """Return those of `photographs` (N, S, S, 3) uint8 BGR whose middle face is in profile.

    S is at most 256 pixels.
    """
    side = photographs.shape[1]
    padded = np.zeros((len(photographs), INPUT, INPUT, 3), np.uint8)
    padded[:, :side, :side] = photographs
    parts = (padded[start : start + AT_ONCE] for start in range(0, len(padded), AT_ONCE))
    faces = chain.from_iterable(detect(network, part, 0.5) for part in parts)
    return photographs[[aside(found, side / 2) > ASIDE for found in faces]]


def aside(found: Detections, middle: float) -> float:
    """Return how far the nose of the face nearest to the middle lies beside its eyes; 0 for none.

    middle: x and y of the middle of the picture, in pixels.
    """
    if not len(found.boxes):
        return 0.0
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    nearest = np.linalg.norm(centres - middle, axis=1).argmin()
    left, right, nose = found.landmarks[nearest][:3]
    across = right - left
    along = float((nose - (left + right) / 2) @ across)
    return abs(along) / max(float(across @ across), 1e-6)
