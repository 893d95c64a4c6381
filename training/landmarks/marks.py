"""Landmarks for unlabelled photographs, by networks that were trained on annotated faces."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.landmarks import eyes, place_once
from engines.types import F32, U8
from training.detector.detections import detect
from training.detector.network import RetinaFace
from training.geometry import locate

FRAME = 320  # side of the detector's input, pixels
SHARE = 0.78  # side of the photograph over that of the input
LEAST_SCORE = 0.4
CENTRAL = 0.2  # largest distance of the face from the middle, over the side
PASSES = 3  # each starts from the landmarks of the one before


def seen(detector: RetinaFace, photo: U8) -> F32 | None:
    """Detect landmarks (5, 2) of the face in the middle of a square photograph, pixels, or None."""
    side = round(SHARE * FRAME)
    edge = (FRAME - side) // 2
    canvas = np.full((FRAME, FRAME, 3), (104, 117, 123), np.uint8)
    canvas[edge : edge + side, edge : edge + side] = cv2.resize(photo, (side, side))
    (faces,) = detect(detector, canvas[None], LEAST_SCORE)
    away = np.abs(faces.landmarks.mean(1) - FRAME / 2).max(1)
    if not len(away) or away.min() > CENTRAL * side:
        return None
    points = (faces.landmarks[away.argmin()] - edge) * (len(photo) / side)
    return np.asarray(points, np.float32)


def marked(networks: Sequence[Path], photo: U8, guess: F32) -> F32:
    """Return the mean landmarks of `networks`, starting from `guess` (5, 2), pixels."""
    rgb = np.ascontiguousarray(photo[..., ::-1])
    places = []
    for network in networks:
        points = guess[None].astype(np.float64)
        for _ in range(PASSES):
            points = place_once(locate(network), [rgb], points)
        places.append(points[0])
    return np.asarray(np.mean(places, 0), np.float32)


def mark_all(networks: Sequence[Path], detector: RetinaFace, photos: NDArray[np.uint8]) -> F32:
    """Return points (N, 5, 2), fractions of the side; NaN without a face in the middle."""
    points = np.full((len(photos), 5, 2), np.nan, np.float32)
    for index, photo in enumerate(photos):
        if (guess := seen(detector, photo)) is not None and eyes(guess) > 0:
            points[index] = marked(networks, photo, guess) / len(photo)
    return points
