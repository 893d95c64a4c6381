"""Pairs the faces that a detector finds with the labelled ones. Boxes are x1 y1 x2 y2."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.geometry import overlaps
from engines.types import F32
from offline.comparison.pictures import Truth

FALSE = -1


class Matches(NamedTuple):
    """The K faces that a detector found in a picture, the highest score first.

    boxes: (K, 4); scores: (K,); faces: (K,) index of the labelled face, or FALSE.
    """

    boxes: F32
    scores: F32
    faces: NDArray[np.intp]

    def above(self, score: float) -> "Matches":
        """Return those with at least `score`. They are what a run with that lowest score finds."""
        kept = self.scores >= score
        return Matches(self.boxes[kept], self.scores[kept], self.faces[kept])


def match(boxes: F32, scores: F32, truth: Truth, least: float) -> Matches:
    """Match boxes (K, 4) with scores (K,) in the order of the scores.

    Each takes the free labelled face with the largest intersection over union, if that is at least
    `least`, 0 to 1. One without such a face is false, or is left out if it covers an ignored face.
    After M. Everingham et al., "The PASCAL visual object classes (VOC) challenge", IJCV 2010.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    table = overlaps(boxes, truth.boxes)
    faces = np.full(len(boxes), FALSE, np.intp)
    for number, row in enumerate(table):
        best = int(row.argmax()) if row.size else FALSE
        if row.size and row[best] >= least:
            faces[number] = best
            table[:, best] = 0
    ignored = overlaps(boxes, truth.ignored).max(axis=1, initial=0) >= least
    kept = (faces != FALSE) | ~ignored
    return Matches(boxes[kept], scores[kept], faces[kept])
