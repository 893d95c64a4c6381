"""Faces with a softmax over some of the emotions."""

from collections.abc import Sequence

import numpy as np

from analysis.document import Face, subset

THREE = ("happy", "neutral", "sad")


def restrict(faces: Sequence[Face], labels: Sequence[str]) -> list[Face]:
    """Return the faces with a softmax over `labels` only."""
    return [_restrict(face, labels) for face in faces]


def _restrict(face: Face, labels: Sequence[str]) -> Face:
    known = list(face.scores)
    row = np.array([list(face.scores.values())], np.float32)
    values = subset(row, [known.index(label) for label in labels])[0]
    scores = {label: float(value) for label, value in zip(labels, values, strict=True)}
    best = max(scores, key=scores.__getitem__)
    return face.model_copy(update={"scores": scores, "emotion": best})
