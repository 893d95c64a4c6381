"""Which faces show the same person, so that a network is never tested on people it has seen."""

import numpy as np

from engines.types import F32, Array
from offline.clustering import LeaderClustering


def people_of(embeddings: F32, same_person: float) -> Array:
    """Return the number of the person per face: int64 (N,), from 1.

    embeddings: (N, D), L2-normalised; same_person: lowest cosine of two faces of one person.
    """
    clustering = LeaderClustering(same_person)
    return np.array([clustering.assign(vector) for vector in embeddings], np.int64)


def people_per_class(people: Array, targets: Array, classes: int) -> list[int]:
    """Return how many people each class shows; people, targets: (N,)."""
    return [len(np.unique(people[targets == each])) for each in range(classes)]
