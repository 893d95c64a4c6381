"""The quality of a face: how far its emotion reading can be relied on.

A logistic regression (D. R. Cox, "The regression analysis of binary sequences", JRSS B 20(2), 1958)
of a few measures and their squares; docs/models/face-quality.md has its figures.
`python -m training.quality fit` writes its numbers, `quality.toml`.
"""

import math
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from analysis.pose import poses
from analysis.types import Detections
from engines.types import F32, U8, Array

FILE = Path(__file__).with_name("quality.toml")
MEASURES = ("sharpness", "yaw", "certainty")
# Added to variances of grey levels, so that the sharpness of a crop of one colour is defined.
ROUNDING = 1 / 12
# Smaller values are raised to this one before the logarithm.
LEAST = 1e-6


class Term(NamedTuple):
    """A measure in the sum: `weight` and `square` are for the standardised value and its square.

    The value is limited to the range of the fit, `low` to `high`, so that the sum never
    extrapolates. Then `mean` is subtracted, and the difference is divided by `deviation`.
    """

    mean: float
    deviation: float
    low: float
    high: float
    weight: float
    square: float

    def add(self, value: float) -> float:
        """Return what a measure adds to the sum; NaN counts as `low`."""
        # The order of arguments matters: comparisons with NaN are false.
        z = (min(self.high, max(self.low, value)) - self.mean) / self.deviation
        return z * (self.weight + self.square * z)


class Model(NamedTuple):
    """The terms by the name of their measure, and the constant of the sum."""

    bias: float
    terms: dict[str, Term]

    def quality(self, values: dict[str, float]) -> float:
        """Return the probability for the measures of one face."""
        total = self.bias + sum(term.add(values[name]) for name, term in self.terms.items())
        return 1 / (1 + math.exp(-total))


def load(path: Path) -> Model:
    """Read the numbers that the fit wrote."""
    table: dict[str, Any] = tomllib.loads(path.read_text())
    return Model(table.pop("bias"), {name: Term(**numbers) for name, numbers in table.items()})


@cache
def _shipped() -> Model:
    return load(FILE)


def qualities(faces: Detections, crops: Sequence[U8], scores: F32) -> F32:
    """Return per face the probability that a clear frontal view would give the same emotion: (K,).

    faces: in pixels of the image as sent; crops: the emotion crops, uint8 (48, 48) each; scores:
    (K, 7), the softmax of the emotion network.
    """
    model = _shipped()
    rows = measures(faces, crops, scores)
    return np.array([model.quality(row) for row in rows], np.float32).reshape(-1)


def measures(faces: Detections, crops: Sequence[U8], scores: F32) -> list[dict[str, float]]:
    """Return `MEASURES` of each face by name; arguments as for `qualities`.

    sharpness: log of the variance of the Laplacian of the crop over the variance of the crop; yaw:
    degrees to either side; certainty: log-odds of the highest score. Each face is measured
    alone, so that the other faces do not change its bits.
    """
    yaws = poses(faces.landmarks)[:, 0]
    return [_measured(*row) for row in zip(yaws.tolist(), crops, scores, strict=True)]


def _measured(yaw: float, crop: U8, scores: Array) -> dict[str, float]:
    contrast = float(cv2.meanStdDev(crop)[1][0, 0]) ** 2
    edges = float(cv2.meanStdDev(cv2.Laplacian(crop, cv2.CV_32F))[1][0, 0]) ** 2
    first = max(scores.tolist())
    return {
        "sharpness": _log((edges + ROUNDING) / (contrast + ROUNDING)),
        "yaw": abs(yaw),
        "certainty": _log(first) - _log(1 - first),
    }


def _log(value: float) -> float:
    """Return the logarithm of a value of at least `LEAST`; NaN counts as `LEAST`."""
    return math.log(max(LEAST, value))
