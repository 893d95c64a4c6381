"""Train an emotion network: an own loop, so that one schedule serves any backend and the clock."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import Split, read_split
from training.emotion.batches import Batches
from training.emotion.checkpoint import averaged, compiled, save_model, save_weights
from training.emotion.distil import Teachers
from training.emotion.examples import examples
from training.emotion.fast import fast
from training.emotion.predict import predict
from training.emotion.recipe import Recipe
from training.emotion.schedule import image_side, learning_rate
from training.emotion.validation import validate
from training.errors import TrainingError
from training.schedule import Clock


def train(recipe: Recipe, data: Path, out: Path) -> float:
    """Train on the split ``train`` of ``data``, validate on ``public``; return the best accuracy.

    ``out`` receives ``recipe.json``, ``curve.csv``, ``last.weights.h5`` and
    ``best.weights.h5`` (averaged weights), ``raw.weights.h5`` (not averaged), and
    ``resume.keras`` with ``resume.json``, from which a run that was cut goes on.

    Raises:
        TrainingError: faces that make no batch, or have neither labels nor a teacher.

    """
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    keras.utils.set_random_seed(recipe.seed)
    run = Run(recipe, read_split(data, "train"), read_split(data, "public"), out)
    with run.batches:
        while run.share < 1:
            run.epoch()
    return run.best


class Run:
    """One training: the model, how far it has come, and its folder."""

    def __init__(self, recipe: Recipe, training: Split, public: Split, out: Path) -> None:
        self.recipe, self.public, self.out = recipe, public, out
        self.batches = _batches(recipe, training)
        self.clock = Clock(recipe.epochs * len(self.batches), recipe.minutes)
        self.number, self.step, self.best = 0, 0, 0.0
        self.recent: deque[npt.NDArray[np.uint8]] = deque(maxlen=32)
        self.teachers = Teachers(
            [Path(run) for run in recipe.teachers.split(",") if run],
            recipe.teacher_share,
            recipe.mixed_precision,
        )
        self.model = self._resumed() if (out / "resume.json").exists() else compiled(recipe)
        self.network = fast(self.model, recipe)

    @property
    def share(self) -> float:
        """The share of the run that is done, 0 to 1."""
        return self.clock.progress(self.step)

    def epoch(self) -> None:
        """Train one epoch or what the clock leaves of it, save it, validate the average."""
        side = image_side(self.share, self.recipe.sides)
        loss = self._steps(side)
        self.number += 1
        with averaged(self.model, self.recent):
            self._validate(side, loss)
        self._save_resume()

    def _steps(self, side: int) -> float:
        self.model.reset_metrics()
        loss = float("nan")
        for faces, targets in self.batches.epoch(self.number, side):
            rate = learning_rate(self.share, self.recipe.rate)
            self.model.optimizer.learning_rate = rate
            blended = self.teachers.targets(faces, targets)
            loss = float(self.network.train_on_batch(faces, blended))
            self.recent.append(faces)
            self.step += 1
            if self.share >= 1:
                break
        return loss

    def _validate(self, side: int, loss: float) -> None:
        score = validate(self, side, loss, predict(self.network, self.public.faces, side))
        save_weights(self.model, self.out / "last.weights.h5")
        if score >= self.best:
            self.best = score
            save_weights(self.model, self.out / "best.weights.h5")

    def _save_resume(self) -> None:
        save_weights(self.model, self.out / "raw.weights.h5")
        save_model(self.model, self.out / "resume.keras")
        state = {
            "number": self.number,
            "best": self.best,
            "step": self.step,
            "seconds": self.clock.elapsed(),
        }
        (self.out / "resume.json").write_text(json.dumps(state))

    def _resumed(self) -> keras.Model:
        state = json.loads((self.out / "resume.json").read_text())
        self.number, self.best = state["number"], state["best"]
        self.step, self.clock.spent = state["step"], state["seconds"]
        return keras.models.load_model(self.out / "resume.keras")


def _batches(recipe: Recipe, training: Split) -> Batches:
    faces, targets = examples(recipe, training)
    most = len(faces)
    if recipe.batch > most:
        raise TrainingError(
            f"{most} faces make no batch of {recipe.batch}: set --batch {most} or less"
        )
    return Batches(
        faces,
        targets,
        recipe.batch,
        recipe.seed,
        recipe.strength,
        recipe.mixup,
        recipe.workers,
    )
