"""Parts of the faces for cross-validation, split by person where people are known."""

from typing import NamedTuple

import numpy as np

from engines.types import Array

FOLDS, INNER_FOLDS = 5, 3
SEED = 0


class Folds(NamedTuple):
    """Indices of the faces to train with and to test with, for each part.

    `by_person`: whether no person is in both.
    """

    parts: tuple[tuple[Array, Array], ...]
    by_person: bool


def folds_of(targets: Array, people: Array | None, classes: int, count: int = FOLDS) -> Folds:
    """Split faces into `count` parts with the same mix of classes.

    targets, people: (N,). Each class has at least `count` faces. The parts are split by person,
    unless people are unknown or too few: then a part would lack a class.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # noqa: PLC0415

    if people is not None and len(np.unique(people)) >= count:
        grouped = StratifiedGroupKFold(count, shuffle=True, random_state=SEED)
        parts = tuple(grouped.split(targets, targets, people))
        if all(_complete(targets[train], classes) and len(test) for train, test in parts):
            return Folds(parts, by_person=True)
    plain = StratifiedKFold(count, shuffle=True, random_state=SEED)
    return Folds(tuple(plain.split(targets, targets)), by_person=False)


def inner_folds(targets: Array, people: Array | None, classes: int) -> Folds:
    """Split the faces of a training part, to choose the strength of the penalty."""
    return folds_of(targets, people, classes, INNER_FOLDS)


def _complete(targets: Array, classes: int) -> bool:
    return len(np.unique(targets)) == classes
