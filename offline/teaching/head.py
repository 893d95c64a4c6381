"""The last layer of a taught network: a multinomial logistic regression (scikit-learn)."""

from typing import NamedTuple

import numpy as np

from analysis.evaluation.accuracy import negative_log_likelihood, softmax
from engines.types import F32, F64, Array
from offline.teaching.folds import Folds, inner_folds

# Inverse strengths of the penalty that are tried, for standardised features.
STRENGTHS = (0.0003, 0.003, 0.03)
MOST_STEPS = 500
# Temperatures that are tried, evenly spaced on a logarithmic scale.
TEMPERATURES = np.geomspace(0.25, 8, 121)


class Head(NamedTuple):
    """A linear layer: weights (F, K) and bias (K,), float32, from features to logits."""

    weights: F32
    bias: F32

    def logits(self, features: F32) -> F64:
        """Map features (N, F) to logits (N, K)."""
        return np.asarray(features @ self.weights + self.bias, np.float64)


def fit(features: F32, targets: Array, classes: int, strength: float) -> Head:
    """Fit a head; all of `classes` occur in `targets`.

    features: (N, F); targets: (N,) from 0. Classes have equal weight, whatever their number of
    faces. `strength` is the inverse strength of the penalty.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (an extra)

    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    model = LogisticRegression(C=strength, max_iter=MOST_STEPS, class_weight="balanced")
    model.fit((features - mean) / deviation, targets)
    rows, bias = model.coef_, model.intercept_
    if classes == 2:  # scikit-learn has one row for the second class
        rows, bias = np.concatenate([-rows, rows]) / 2, np.concatenate([-bias, bias]) / 2
    weights = (rows / deviation).T
    return Head(weights.astype(np.float32), (bias - mean @ weights).astype(np.float32))


def fit_best(features: F32, targets: Array, people: Array | None, classes: int) -> Head:
    """Fit a head with the strength that is best on faces which it has not seen.

    people: (N,), the number of the person per face, or None; see `inner_folds`.
    """
    folds = inner_folds(targets, people, classes)
    losses = [_loss(features, targets, classes, folds, each) for each in STRENGTHS]
    return fit(features, targets, classes, STRENGTHS[int(np.argmin(losses))])


def _loss(features: F32, targets: Array, classes: int, folds: Folds, strength: float) -> float:
    """Return the negative log likelihood of unseen faces, in nats per face."""
    total = 0.0
    for train, test in folds.parts:
        head = fit(features[train], targets[train], classes, strength)
        scores = softmax(head.logits(features[test]))
        total += len(test) * negative_log_likelihood(scores, targets[test])
    return total / len(targets)


def temperature_of(logits: F64, targets: Array) -> float:
    """Return the divisor of logits (N, K) with the lowest negative log likelihood.

    C. Guo et al., "On calibration of modern neural networks", 2017, arXiv 1706.04599.
    """
    losses = [negative_log_likelihood(softmax(logits / each), targets) for each in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])
