"""The training faces and targets of a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import Split
from training.emotion.labels import mixed_targets
from training.emotion.recipe import Recipe
from training.errors import TrainingError

Examples = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def examples(recipe: Recipe, training: Split) -> Examples:
    """Return faces uint8 (N, 48, 48) and targets float32 (N, 7), zero for unlabelled faces.

    Raises:
        TrainingError: there are unlabelled faces and no teacher.

    """
    targets = mixed_targets(
        training.labels,
        training.votes,
        recipe.label_weight,
        recipe.smoothing,
        fit_votes=recipe.fit_votes,
    )
    if not recipe.unlabelled:
        return training.faces, targets
    if not recipe.teachers:
        raise TrainingError("unlabelled faces need a teacher: add --teachers RUN")
    unlabelled = load_frames(Path(recipe.unlabelled))
    none = np.zeros((len(unlabelled), targets.shape[1]), np.float32)
    return np.concatenate([training.faces, unlabelled]), np.concatenate([targets, none])


def load_frames(path: Path) -> npt.NDArray[np.uint8]:
    """Return the faces uint8 (N, 48, 48) of a file that `training.emotion.frames` wrote."""
    with np.load(path) as file:
        return np.asarray(file["x"], np.uint8)
