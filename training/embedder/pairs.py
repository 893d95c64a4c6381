"""Verification (are two faces of one person?) and grouping (who are the people in a crowd?)."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.types import F64
from offline.clustering import LeaderClustering

MOST_PER_PERSON = 40  # pairs; without a limit, people with many photographs would dominate
FALSE_ACCEPTS = (1e-2, 1e-3)
STEPS = np.linspace(-0.2, 1.0, 1201)
CROWDS = (0.24, 0.35, 0.4, 0.45, 0.5, 0.55)  # cosines at which a crowd is grouped


class Cosines(NamedTuple):
    """Cosines of pairs of faces: of the `same` person, and of two people (`other`)."""

    same: F64
    other: F64

    def accuracy(self, threshold: float) -> float:
        """Return the accuracy with equal weights for both kinds of pairs."""
        return float(((self.same >= threshold).mean() + (self.other < threshold).mean()) / 2)

    def best_threshold(self) -> float:
        """Return the median of the thresholds with the highest accuracy."""
        accuracies = np.array([self.accuracy(step) for step in STEPS])
        return float(np.median(STEPS[accuracies >= accuracies.max() - 1e-9]))

    def accepted(self, false_accepts: float) -> float:
        """Return the share of true accepts at a share of `false_accepts`."""
        return float((self.same > np.quantile(self.other, 1 - false_accepts)).mean())


def cosines(embeddings: F64, people: tuple[str, ...]) -> Cosines:
    """Return the cosines of all pairs of two people, and of up to `MOST_PER_PERSON` per person."""
    alike = embeddings @ embeddings.T
    names = np.array(people)
    above = np.triu(np.ones(alike.shape, bool), 1)
    other = alike[above & (names[:, None] != names)]
    return Cosines(np.concatenate([_of_person(alike, names == who) for who in set(people)]), other)


def _of_person(alike: F64, where: NDArray[np.bool_]) -> F64:
    among = alike[np.ix_(where, where)]
    pairs = among[np.triu_indices(len(among), 1)]
    return pairs[:: max(1, -(-len(pairs) // MOST_PER_PERSON))]


def verification(embeddings: F64, people: tuple[str, ...]) -> dict[str, object]:
    """Return thresholds fitted on each half of the people and tested on the other, and rates."""
    parts = [cosines(embeddings[half], tuple(np.array(people)[half])) for half in halves(people)]
    thresholds = [part.best_threshold() for part in parts]
    accuracies = [part.accuracy(t) for part, t in zip(parts, thresholds[::-1], strict=True)]
    whole = cosines(embeddings, people)
    threshold = float(np.mean(thresholds))
    return {
        "pairs": [len(whole.same), len(whole.other)],
        "thresholds": thresholds,
        "accuracy_on_other_half": accuracies,
        "threshold": threshold,
        "missed": float((whole.same < threshold).mean()),
        "confused": float((whole.other >= threshold).mean()),
        "true_accepts": {str(rate): whole.accepted(rate) for rate in FALSE_ACCEPTS},
    }


def grouping(embeddings: F64, people: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Group the faces of a crowd like `emotions predict`, at each cosine of `CROWDS`.

    `own` is the share of faces in a group with a majority of their own person. `together` is the
    share of faces in the largest group of their person.
    """
    found = {}
    for threshold in CROWDS:
        crowd = LeaderClustering(threshold)
        groups = [crowd.assign(row) for row in embeddings]
        own, together = _of_the_most(groups, people), _of_the_most(people, groups)
        found[str(threshold)] = {"groups": len(set(groups)), "own": own, "together": together}
    return found


def _of_the_most(whole: Sequence[Hashable], parts: Sequence[Hashable]) -> float:
    """Return the share of items that belong to the most frequent part of their whole."""
    counts: dict[Hashable, Counter[Hashable]] = {}
    for one, part in zip(whole, parts, strict=True):
        counts.setdefault(one, Counter())[part] += 1
    return sum(max(each.values()) for each in counts.values()) / len(whole)


def halves(people: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Split the people in two, as masks over faces; people with many faces are split evenly."""
    names, counts = np.unique(people, return_counts=True)
    dealt = names[np.argsort(-counts, kind="stable")]
    first = np.isin(people, dealt[::2])
    return first, ~first
