"""The figures of a detector: recall, false faces, CPU time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.types import F32, F64
from offline.comparison.matching import FALSE, Matches
from offline.comparison.pictures import Truth

# Quantile of the normal distribution for an interval of 95 %.
QUANTILE = 1.959964
# Longer sides of faces between the sizes, in pixels of the picture.
EDGES = (24, 48, 96)
SIZES = ("below 24", "24 to 48", "48 to 96", "from 96")


class Share(NamedTuple):
    """`hits` of `total`."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; 0 of nothing."""
        return self.hits / max(self.total, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95 %: E. B. Wilson, "Probable inference", JASA 22, 1927."""
        if not self.total:
            return 0.0, 1.0
        square = QUANTILE**2 / self.total
        middle = (self.value + square / 2) / (1 + square)
        spread = self.value * (1 - self.value) / self.total + square / (4 * self.total)
        half = QUANTILE * math.sqrt(spread) / (1 + square)
        # Rounding must not exclude the share itself.
        return min(self.value, max(0.0, middle - half)), max(self.value, min(1.0, middle + half))

    def document(self) -> dict[str, Any]:
        """Return the share for JSON."""
        counts = {"found": self.hits, "faces": self.total}
        return {"value": self.value, "interval": self.interval, **counts}


class Judged(NamedTuple):
    """One picture: its faces, what the detector found, and its CPU time in milliseconds."""

    truth: Truth
    matches: Matches
    milliseconds: float


class Figures(NamedTuple):
    """Figures of one detector; `by_size` has those of `SIZES` that occur.

    precision: right faces among those found. equal_false: the number of false faces that is the
    same for all detectors; equal: the recall with at most so many, from `equal_score` on.
    """

    detector: str
    pictures: int
    recall: Share
    by_size: dict[str, Share]
    precision: Share
    equal_false: int
    equal_score: float
    equal: Share
    milliseconds: float

    @property
    def false(self) -> int:
        """Number of false faces."""
        return self.precision.total - self.precision.hits

    @property
    def false_per_100(self) -> float:
        """False faces per 100 pictures."""
        return 100 * self.false / self.pictures

    def document(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "detector": self.detector,
            "recall": self.recall.document(),
            "recall_by_size": {name: share.document() for name, share in self.by_size.items()},
            "false_faces": self.false,
            "false_faces_per_100_pictures": self.false_per_100,
            "precision": self.precision.value if self.precision.total else None,
            "recall_at_equal_false_faces": {
                **self.equal.document(),
                "false_faces": self.equal_false,
                "score": self.equal_score,
            },
            "cpu_milliseconds": self.milliseconds,
        }


def figures(
    detectors: Mapping[str, Sequence[Judged]], min_score: float, lowest: float
) -> list[Figures]:
    """Return the figures of each detector; all have seen the same pictures.

    min_score: lowest score of a face; lowest: the score from which faces are known. The number of
    false faces for `equal` is that of the detector with the fewest, but one per 100 pictures at
    least: one face without a label would decide otherwise.
    """
    pictures = len(next(iter(detectors.values())))
    counts = [int((false_scores(judged) >= min_score).sum()) for judged in detectors.values()]
    allowed = max(min(counts), math.ceil(pictures / 100))
    return [
        _figures(name, judged, min_score, allowed, lowest) for name, judged in detectors.items()
    ]


def _figures(
    name: str, judged: Sequence[Judged], min_score: float, allowed: int, lowest: float
) -> Figures:
    faces, sides = face_scores(judged), _sides(judged)
    false = int((false_scores(judged) >= min_score).sum())
    found = faces >= min_score
    bins = np.searchsorted(EDGES, sides, "right")
    by_size = {
        size: Share(int(found[bins == number].sum()), int((bins == number).sum()))
        for number, size in enumerate(SIZES)
        if (bins == number).any()
    }
    score = equal_score(false_scores(judged), allowed, lowest)
    return Figures(
        name,
        len(judged),
        Share(int(found.sum()), len(faces)),
        by_size,
        Share(int(found.sum()), int(found.sum()) + false),
        allowed,
        score,
        Share(int((faces >= score).sum()), len(faces)),
        float(np.median([each.milliseconds for each in judged])),
    )


def equal_score(false: F64, allowed: int, lowest: float) -> float:
    """Return the lowest score from which at most `allowed` of the scores `false` (K,) remain."""
    if len(false) <= allowed:
        return lowest
    return float(np.nextafter(np.sort(false)[::-1][allowed], np.inf))


def false_scores(judged: Sequence[Judged]) -> F64:
    """Return the scores of all false faces."""
    scores = [each.matches.scores[each.matches.faces == FALSE] for each in judged]
    return np.concatenate(scores).astype(np.float64)


def face_scores(judged: Sequence[Judged]) -> F64:
    """Return the score of each labelled face (N,), -1 for one that was not found at any score."""
    return np.concatenate([_scores(each) for each in judged])


def _scores(judged: Judged) -> F64:
    scores = np.full(len(judged.truth.boxes), -1.0)
    right = judged.matches.faces != FALSE
    scores[judged.matches.faces[right]] = judged.matches.scores[right]
    return scores


def _sides(judged: Sequence[Judged]) -> F32:
    boxes = np.concatenate([each.truth.boxes for each in judged])
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0), np.float32)
