"""Measures of predicted probabilities (N,) against the outcomes `right` (N,)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.types import F64

BINS = 10
Right = NDArray[np.bool_]


class Bin(NamedTuple):
    """Examples of similar probability: how many, their mean probability, the share of right."""

    faces: int
    predicted: float
    right: float


def bins(chances: F64, right: Right) -> list[Bin]:
    """Return the examples in `BINS` bins of equal width; an empty bin has NaN."""
    places = np.minimum((chances * BINS).astype(int), BINS - 1)
    return [
        Bin(int(there.sum()), _mean(chances[there]), _mean(right[there]))
        for there in (places == each for each in range(BINS))
    ]


def calibration_error(chances: F64, right: Right) -> float:
    """Return the expected calibration error over the bins (arXiv 1706.04599)."""
    filled = (each for each in bins(chances, right) if each.faces)
    return sum(each.faces * abs(each.predicted - each.right) for each in filled) / len(right)


def brier(chances: F64, right: Right) -> float:
    """Return the mean squared error (G. W. Brier, 1950)."""
    return float(((chances - right) ** 2).mean())


def auc(chances: F64, right: Right) -> float:
    """Return the probability that a right example scores above a wrong one; ties count half.

    NaN if there are no right ones, or no wrong ones.
    """
    good, bad = np.sort(chances[right]), chances[~right]
    if not len(good) or not len(bad):
        return float("nan")
    above = len(good) - np.searchsorted(good, bad, "right")
    ties = np.searchsorted(good, bad, "right") - np.searchsorted(good, bad, "left")
    return float((above + ties / 2).mean() / len(good))


def _mean(values: NDArray[np.floating] | Right) -> float:
    return float(values.mean()) if len(values) else float("nan")
