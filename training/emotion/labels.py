"""Targets: distributions over the seven classes, of labels, FER+ votes and teachers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import LABELS
from training.emotion.votes import fitted_votes, vote_distribution


def one_hot(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Class indices (N,) -> float32 (N, 7)."""
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
    """Return float32 (N, 7) targets: ``label_weight`` of the label, the rest of the votes.

    With ``fit_votes`` the rest is not the votes' shares but the labels that such votes go with, see
    `training.emotion.votes.fitted_votes`. An image without usable votes keeps its label alone.
    ``smoothing`` spreads that share evenly over all classes (Szegedy et al., arXiv 1512.00567).
    """
    targets = one_hot(labels)
    if votes is not None:
        distribution = fitted_votes(votes, targets) if fit_votes else vote_distribution(votes)
        voted = distribution.sum(1) > 0
        mixed = label_weight * targets + (1 - label_weight) * distribution
        targets = np.where(voted[:, None], mixed, targets)
    smoothed: npt.NDArray[np.float32] = (1 - smoothing) * targets + smoothing / len(LABELS)
    return smoothed.astype(np.float32)


def shared(targets: Any, said: Any, share: float) -> Any:
    """Targets (N, 7), ``share`` of each the teachers' ``said`` (N, 7); arrays or tensors alike.

    A face without a label has a target of zeros, and one blended with it a part of a target: what
    labels leave of each is the teachers'.
    """
    labelled = (1 - share) * targets
    return labelled + (1 - labelled.sum(1)[:, None]) * said


def prior_shift(
    labels: npt.NDArray[np.integer], votes: npt.NDArray[np.integer] | None, label_weight: float
) -> npt.NDArray[np.float32]:
    """Return float32 (7,) to add to logits that were trained on mixed targets.

    FER+ calls many faces neutral that FER-2013 calls something else; a network
    trained on both inherits that prior. The shift, log p(label) / p(target) over
    the training part, returns to the labels' (arXiv 2007.07314).
    """
    targets = mixed_targets(labels, votes, label_weight, smoothing=0.0).mean(0)
    shift: npt.NDArray[np.float32] = np.log(one_hot(labels).mean(0) / targets)
    return shift.astype(np.float32)
