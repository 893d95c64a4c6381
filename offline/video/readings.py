"""Means of emotion scores, in which each reading weighs as much as its quality."""

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import numpy as np

from engines.types import F64
from offline.quality import weight


class Readings(NamedTuple):
    """A weighted sum of readings of one face.

    sums: (K + 1,), the scores of K emotions and the quality, each times the weight; total: the sum
    of the weights, above 0. The mean quality has the same weights as the mean scores, because it
    says how far these can be relied on.
    """

    sums: F64
    total: float

    @property
    def scores(self) -> F64:
        """The mean scores (K,)."""
        return np.asarray(self.sums[:-1] / self.total)

    @property
    def quality(self) -> float:
        """The mean quality."""
        return float(self.sums[-1] / self.total)

    def times(self, factor: float) -> "Readings":
        """Return the same readings with other weights."""
        return Readings(self.sums * factor, self.total * factor)

    def plus(self, other: "Readings") -> "Readings":
        """Return these readings and others."""
        return Readings(self.sums + other.sums, self.total + other.total)


def reading(scores: F64, quality: float) -> Readings:
    """Return a single reading: its scores (K,), and its quality from 0 to 1."""
    return Readings(np.append(scores, quality), 1.0).times(weight(quality))


def mean(readings: Iterable[Readings]) -> Readings:
    """Return the mean of one or more means, each weighted by its quality alone."""
    return reduce(Readings.plus, (reading(each.scores, each.quality) for each in readings))
