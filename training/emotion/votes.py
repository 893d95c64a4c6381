"""Class distributions from FER+ votes: ten people voted on each image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import softmax
from engines.types import F32

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
_FERPLUS_OF_LABEL = [4, 5, 6, 1, 3, 2, 0]
STEPS, RATE, DECAY = 600, 0.1, 1e-5


def vote_distribution(votes: npt.NDArray[np.integer]) -> F32:
    """FER+ votes (N, 10), -1 for none -> float32 (N, 7), zeros for rows without a usable vote.

    Contempt, "unknown" and "not a face" are none of the seven classes and are dropped. Single votes
    are dropped, too, if another class has more (Barsoum et al., arXiv 1608.01041).
    """
    usable = np.clip(votes[:, _FERPLUS_OF_LABEL], 0, None).astype(np.float32)
    agreed = np.where(usable > 1, usable, 0)
    usable = np.where(agreed.sum(1, keepdims=True) > 0, agreed, usable)
    total = usable.sum(1, keepdims=True)
    distribution: F32 = usable / np.maximum(total, 1)
    return distribution


def fitted_votes(votes: npt.NDArray[np.integer], classes: F32) -> F32:
    """FER+ votes (N, 10), -1 for none, and labels (N, 7) -> float32 (N, 7), zeros without a vote.

    The voters chose neutral for many faces with another label in FER-2013. A softmax regression
    from votes to labels predicts the label distribution for such votes. It removes this bias and
    the noise of single labels. It has about 500 weights for 28,709 images, so it cannot memorise
    them.
    """
    voted = votes.clip(0).sum(1) > 0
    inputs = _features(votes[voted].clip(0))
    distribution = np.zeros_like(classes)
    distribution[voted] = softmax(inputs @ _regression(inputs, classes[voted]))
    return distribution


def _features(counts: npt.NDArray[np.integer]) -> F32:
    """Return shares of the votes, their roots, 1 for each share above 0, pairs of roots, and 1."""
    share = counts / counts.sum(1, keepdims=True)
    root = np.sqrt(share)
    one, other = np.triu_indices(share.shape[1], 1)
    parts = [share, root, share > 0, root[:, one] * root[:, other], np.ones((len(share), 1))]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _regression(inputs: F32, classes: F32) -> F32:
    """Return the weights of a softmax regression, fitted by full-batch Adam (arXiv 1412.6980)."""
    weights, mean, square = np.zeros((3, inputs.shape[1], classes.shape[1]), np.float32)
    for step in range(1, STEPS + 1):
        wrong = softmax(inputs @ weights) - classes
        gradient = inputs.T @ wrong / max(len(inputs), 1) + DECAY * weights
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        stride = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        weights -= RATE * (1 - step / STEPS) * stride
    return weights
