"""Cross-validation: the figures of a taught network on faces that it has not seen."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analysis.evaluation import accuracy
from engines.types import F64, Array

# Resamples of the bootstrap, and its quantiles: an interval of 95 %.
RESAMPLES, LOW, HIGH = 2000, 0.025, 0.975
# Bins of the table of calibration.
BINS = 5
# Maps the indices of faces to train with, and to test with, to the logits (N, K) of the latter.
Trial = Callable[[Array, Array], F64]


class Bin(NamedTuple):
    """Faces whose highest score is in a range: their number, mean score and share of right ones."""

    low: float
    high: float
    faces: int
    score: float
    right: float


class Figures(NamedTuple):
    """Measures of cross-validation; see `analysis.evaluation.accuracy`.

    `interval`: 95 %, by a bootstrap over people; `confusion`: counts (K, K), rows are labels.
    """

    accuracy: float
    interval: tuple[float, float]
    f1: dict[str, float]
    calibration_error: float
    confusion: list[list[int]]
    bins: list[Bin]


def out_of_fold(trial: Trial, parts: tuple[tuple[Array, Array], ...]) -> F64:
    """Return logits (N, K) of each face, by a network that was trained without its part."""
    faces = sum(len(test) for _, test in parts)
    found = [(test, trial(train, test)) for train, test in parts]
    logits = np.zeros((faces, found[0][1].shape[1]))
    for test, rows in found:
        logits[test] = rows
    return logits


def figures_of(
    scores: F64, targets: Array, people: Array | None, labels: tuple[str, ...]
) -> Figures:
    """Measure scores (N, K), whose rows sum to one, against targets (N,)."""
    matrix = accuracy.confusion(scores, targets)
    return Figures(
        accuracy.accuracy(scores, targets),
        interval(scores.argmax(axis=1) == targets, people),
        accuracy.f1_scores(matrix, labels),
        accuracy.calibration_error(scores, targets),
        matrix.tolist(),
        bins(scores, targets),
    )


def interval(right: Array, people: Array | None) -> tuple[float, float]:
    """Return the interval of an accuracy: faces of one person are drawn together.

    right: (N,) bool; people: (N,), or None if each face counts as another person. Bootstrap
    percentiles: B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.
    """
    groups = np.arange(len(right)) if people is None else np.unique(people, return_inverse=True)[1]
    hits, sizes = np.bincount(groups, right), np.bincount(groups)
    drawn = np.random.default_rng(0).integers(0, len(sizes), (RESAMPLES, len(sizes)))
    shares = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(shares, [LOW, HIGH])
    return float(low), float(high)


def bins(scores: F64, targets: Array) -> list[Bin]:
    """Return the filled bins of equal width of the highest scores (N, K)."""
    highest, right = scores.max(axis=1), scores.argmax(axis=1) == targets
    place = np.minimum((highest * BINS).astype(int), BINS - 1)
    return [
        Bin(
            each / BINS,
            (each + 1) / BINS,
            int((place == each).sum()),
            float(highest[place == each].mean()),
            float(right[place == each].mean()),
        )
        for each in range(BINS)
        if (place == each).any()
    ]
