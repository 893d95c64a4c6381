"""Targets: distributions over the seven classes from labels, FER+ votes and teachers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import LABELS
from training.emotion.votes import fitted_votes, vote_distribution


def one_hot(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Return class indices (N,) as float32 (N, 7)."""
    vectors: npt.NDArray[np.float32] = np.eye(len(LABELS), dtype=np.float32)[labels]
    return vectors


def mixed_targets(
    labels: npt.NDArray[np.integer],
    votes: npt.NDArray[np.integer] | None,
    label_weight: float = 0.7,
    smoothing: float = 0.05,
    *,
    fit_votes: bool = False,
) -> npt.NDArray[np.float32]:
    """Return float32 (N, 7) targets: ``label_weight`` for the label, the rest for the votes.

    ``fit_votes`` replaces the votes by the labels that they predict, see
    `training.emotion.votes.fitted_votes`. An image without usable votes has its label only.
    ``smoothing`` is the share that is spread evenly over all classes (Szegedy et al., arXiv
    1512.00567).
    """
    targets = one_hot(labels)
    if votes is not None:
        distribution = fitted_votes(votes, targets) if fit_votes else vote_distribution(votes)
        voted = distribution.sum(1) > 0
        mixed = label_weight * targets + (1 - label_weight) * distribution
        targets = np.where(voted[:, None], mixed, targets)
    smoothed: npt.NDArray[np.float32] = (1 - smoothing) * targets + smoothing / len(LABELS)
    return smoothed.astype(np.float32)


def shared(
    targets: npt.NDArray[np.float32], predicted: npt.NDArray[np.floating], share: float
) -> npt.NDArray[np.floating]:
    """Blend targets (N, 7) with ``share`` of the ``predicted`` distributions (N, 7) of teachers.

    The target of an unlabelled face is zero, and a blend with such a face has a partial target.
    The teachers fill the rest, so that each result sums to one.
    """
    labelled = (1 - share) * targets
    return np.asarray(labelled + (1 - labelled.sum(1)[:, None]) * predicted)


def prior_shift(
    labels: npt.NDArray[np.integer], votes: npt.NDArray[np.integer] | None, label_weight: float
) -> npt.NDArray[np.float32]:
    """Return float32 (7,) to add to logits that were trained on mixed targets.

    Voters of FER+ chose neutral for many faces with another label in FER-2013, and a network that
    is trained on both inherits this prior. The shift, log p(label) / p(target) over the training
    part, restores the prior of the labels (arXiv 2007.07314).
    """
    targets = mixed_targets(labels, votes, label_weight, smoothing=0.0).mean(0)
    shift: npt.NDArray[np.float32] = np.log(one_hot(labels).mean(0) / targets)
    return shift.astype(np.float32)
