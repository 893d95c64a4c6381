"""Targets from an ensemble: what several trained networks say of the very view that is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import SIDE
from training.emotion.checkpoint import load_run
from training.emotion.fast import fast
from training.emotion.labels import shared
from training.emotion.recipe import load_recipe
from training.errors import TrainingError

Targets = npt.NDArray[np.float32]


class Teachers:
    """Trained runs whose mean softmax has a share of each target.

    They see the same augmented view as the student, not the clean face: on faces that they were
    trained on they are nearly certain, and certainty teaches nothing (Hinton et al., arXiv
    1503.02531; Beyer et al., arXiv 2106.05237).

    Raises:
        TrainingError: a run that is ``--fine``, which reads faces of one side alone.

    """

    def __init__(self, runs: Sequence[Path], share: float, mixed_precision: bool = False) -> None:
        self._models = [_teacher(run, mixed_precision) for run in runs]
        self._share = share

    def targets(self, faces: npt.NDArray[np.uint8], targets: Targets) -> Targets:
        """Blend the targets of a batch, float32 (N, 7), with what the teachers say of it."""
        if not self._models:
            return targets
        said = np.mean([softmax(model.predict_on_batch(faces)) for model in self._models], axis=0)
        return np.asarray(shared(targets, said, self._share), np.float32)


def _teacher(run: Path, mixed_precision: bool) -> Any:
    recipe = replace(load_recipe(run / "recipe.json"), mixed_precision=mixed_precision)
    if any(each.fine for each in (recipe, *recipe.parts)):
        raise TrainingError(f"{run} is --fine: it reads faces at a side of its own alone")
    # Views come in the student's side, whatever the teacher's own is.
    return fast(load_run(run, "last", SIDE), recipe)
