"""Measures of a classifier from probabilities (N, K) and labels (N,), in numpy.

Probabilities are float64 rows that sum to one; labels are indices of their columns. The names of
the classes are by default `fer2013.LABELS`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import LABELS
from engines.types import F64

Labels = npt.NDArray[np.integer]


def softmax(logits: npt.NDArray[np.floating]) -> F64:
    """Return the softmax over the last axis, in double precision."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    result: F64 = exponentials / exponentials.sum(-1, keepdims=True)
    return result


def accuracy(probabilities: F64, labels: Labels) -> float:
    """Return the share of faces, 0 to 1, whose label has the largest probability."""
    return float((probabilities.argmax(1) == labels).mean())


def negative_log_likelihood(probabilities: F64, labels: Labels) -> float:
    """Return the mean of -log p(label), in nats."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def calibration_error(probabilities: F64, labels: Labels, bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal width (arXiv 1706.04599)."""
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(correct[bin_of == each].sum() - confidence[bin_of == each].sum()))
        for each in range(bins)
    ]
    return sum(gaps) / len(labels)


def confusion(probabilities: F64, labels: Labels) -> npt.NDArray[np.int64]:
    """Return counts (K, K) int64: rows are labels, columns are predictions."""
    classes = probabilities.shape[1]
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, probabilities.argmax(1)), 1)
    return matrix


def f1_scores(matrix: npt.NDArray[np.int64], names: tuple[str, ...] = LABELS) -> dict[str, float]:
    """Return the F1 score of each class from a confusion matrix; 0 for a class without any face."""
    hits = np.diag(matrix)
    support = matrix.sum(0) + matrix.sum(1)
    return {
        label: float(2 * hit / max(int(total), 1))
        for label, hit, total in zip(names, hits, support, strict=True)
    }


def subset_accuracy(probabilities: F64, labels: Labels, names: tuple[str, ...]) -> float:
    """Return the accuracy on the faces of the named classes, if only these can be predicted."""
    columns = [LABELS.index(name) for name in names]
    member = np.isin(labels, columns)
    chosen = np.array(columns)[probabilities[member][:, columns].argmax(1)]
    return float((chosen == labels[member]).mean())
