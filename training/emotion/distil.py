"""Targets from an ensemble: predictions of trained networks for the same augmented view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import SIDE
from training.emotion.checkpoint import load_run
from training.emotion.labels import shared
from training.emotion.recipe import load_recipe
from training.errors import TrainingError

Targets = npt.NDArray[np.float32]


class Teachers:
    """Trained runs; their mean softmax has a share of each target.

    Teachers see the augmented view of the student, not the clean face: they are nearly certain of
    faces that they were trained on, and such targets teach little (Hinton et al., arXiv 1503.02531;
    Beyer et al., arXiv 2106.05237).

    Raises:
        TrainingError: a run is ``--fine``, so it reads faces of one side only.

    """

    def __init__(self, runs: Sequence[Path], share: float) -> None:
        self._models = [_teacher(run) for run in runs]
        self._share = share

    def targets(self, faces: npt.NDArray[np.uint8], targets: Targets) -> Targets:
        """Blend the targets of a batch, float32 (N, 7), with the predictions of the teachers."""
        if not self._models:
            return targets
        logits = [np.asarray(model.predict_on_batch(faces)) for model in self._models]
        predicted = np.mean([softmax(each) for each in logits], axis=0)
        return np.asarray(shared(targets, predicted, self._share), np.float32)


def _teacher(run: Path) -> keras.Model:
    recipe = load_recipe(run / "recipe.json")
    if any(each.fine for each in (recipe, *recipe.parts)):
        raise TrainingError(f"{run} is --fine and reads faces of one side only: choose another")
    # The views have the side of the student, so the teacher must not resample them.
    return load_run(run, "last", SIDE)
