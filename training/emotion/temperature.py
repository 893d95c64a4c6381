"""Calibration of confidences by one temperature (Guo et al., arXiv 1706.04599)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import (
    Labels,
    calibration_error,
    negative_log_likelihood,
    softmax,
)
from engines.types import F64


def fit_temperature(logits: npt.NDArray[np.floating], labels: Labels) -> float:
    """Return the T in 0.25-4 with the highest likelihood of softmax(logits / T), to three digits.

    The likelihood has one maximum in 1/T, so two passes over a grid find it.
    """
    coarse = np.geomspace(0.25, 4, 81)
    best = _likeliest(logits, labels, coarse)
    return round(_likeliest(logits, labels, best * np.geomspace(0.96, 1.04, 81)), 3)


def held_out_calibration_error(logits: npt.NDArray[np.floating], labels: Labels) -> float:
    """Return the mean calibration error of two halves, each with the temperature of the other."""
    half = np.arange(len(labels)) % 2 == 0
    errors = [
        calibration_error(
            softmax(logits[~part] / fit_temperature(logits[part], labels[part])), labels[~part]
        )
        for part in (half, ~half)
    ]
    return sum(errors) / 2


def _likeliest(logits: npt.NDArray[np.floating], labels: Labels, grid: F64) -> float:
    losses = [negative_log_likelihood(softmax(logits / each), labels) for each in grid]
    return float(grid[int(np.argmin(losses))])
