"""Random crops around a detector's landmarks, as in the service, with the true landmarks."""

import cv2
import numpy as np

from analysis.crops import warped
from analysis.landmarks import SIDE, TEMPLATE, eyes, frame
from engines.types import F64, U8
from training.detector.annotated import Marked
from training.detector.degrade import degrade

MIRRORED = [1, 0, 2, 4, 3]  # the order of landmarks in a mirror
# Deviations of a detector's errors: common shift and scatter per point (in distances of the eyes),
# turn (degrees) and size (logarithm). Each view draws a share of shift and scatter.
SHIFT, SCATTER, TURN, ZOOM = 0.12, 0.12, 6.0, 0.08
SMALL, LEAST = 0.5, 0.2  # share of views from a smaller picture, and its smallest scale
HIDDEN = 0.25  # share of views with a covered rectangle


def view(marked: Marked, rng: np.random.Generator) -> tuple[U8, F64]:
    """Return a crop, RGB (64, 64, 3), and the offsets (5, 2) of its landmarks from `TEMPLATE`."""
    crop, moved = shown(marked, rng)
    if rng.random() < HIDDEN:
        hide(crop, rng)
    return np.ascontiguousarray(degrade(crop, rng)[..., ::-1]), moved


def shown(marked: Marked, rng: np.random.Generator) -> tuple[U8, F64]:
    """Return the same as `view`, but BGR and without degradation."""
    index = rng.integers(len(marked.images))
    image, points = marked.images[index], marked.points[index].astype(np.float64)
    if rng.random() < 0.5:
        image, points = np.asarray(cv2.flip(image, 1)), (points * [-1, 1] + [1, 0])[MIRRORED]
    if rng.random() < SMALL:
        side = round(len(image) * rng.uniform(LEAST, 1))
        image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))
    points = points * len(image) - 0.5
    matrix = frame(guess(points, rng))
    moved = points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE
    return warped(image, matrix, SIDE), moved


def guess(points: F64, rng: np.random.Generator) -> F64:
    """Return `points` (5, 2) with random errors like those of a detector."""
    amount, apart = rng.random(), eyes(points)
    angle, middle = np.deg2rad(rng.normal(0, TURN)), points.mean(0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    seen = (points - middle) @ turn.T * np.exp(rng.normal(0, ZOOM)) + middle
    off = rng.normal(0, SHIFT, 2) + rng.normal(0, SCATTER, (5, 2))
    return np.asarray(seen + amount * apart * off)


def hide(crop: U8, rng: np.random.Generator) -> None:
    """Cover a rectangle of up to half of each side with a colour or noise, in place."""
    height, width = rng.integers(SIDE // 8, SIDE // 2, 2)
    top, left = rng.integers(0, SIDE - height), rng.integers(0, SIDE - width)
    shape = (height, width, 3) if rng.random() < 0.5 else (1, 1, 3)
    crop[top : top + height, left : left + width] = rng.integers(0, 256, shape)
