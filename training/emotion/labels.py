"""The seven classes, and FER+ votes as distributions over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engines.fer2013 import LABELS

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


def one_hot(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Class indices (N,) -> float32 (N, 7)."""
    vectors: npt.NDArray[np.float32] = np.eye(len(LABELS), dtype=np.float32)[labels]
    return vectors


def vote_distribution(votes: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """FER+ votes (N, 10), -1 for none -> float32 (N, 7), rows of zeros without a usable vote.

    Contempt, "unknown" and "not a face" have no class among the seven and are
    dropped. Single votes are dropped too where others agree, as in Barsoum et
    al., arXiv 1608.01041.
    """
    usable = np.clip(votes[:, _FERPLUS_OF_LABEL], 0, None).astype(np.float32)
    agreed = np.where(usable > 1, usable, 0)
    usable = np.where(agreed.sum(1, keepdims=True) > 0, agreed, usable)
    total = usable.sum(1, keepdims=True)
    distribution: npt.NDArray[np.float32] = usable / np.maximum(total, 1)
    return distribution


def mixed_targets(
    labels: npt.NDArray[np.integer],
    votes: npt.NDArray[np.integer] | None,
    label_weight: float = 0.7,
    smoothing: float = 0.05,
) -> npt.NDArray[np.float32]:
    """Return float32 (N, 7) targets: ``label_weight`` of the label, the rest of the votes.

    An image without usable votes keeps its label alone. ``smoothing`` spreads
    that share evenly over all classes (Szegedy et al., arXiv 1512.00567).
    """
    targets = one_hot(labels)
    if votes is not None:
        distribution = vote_distribution(votes)
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
