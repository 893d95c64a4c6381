"""Train an emotion network, with one loop for every Keras backend and device."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import accuracy, negative_log_likelihood, softmax
from analysis.evaluation.fer2013 import Split, read_split
from training import curve
from training.emotion.batches import Batches
from training.emotion.checkpoint import (
    averaged,
    best_accuracy,
    compiled,
    save_model,
    save_weights,
)
from training.emotion.distil import Teachers
from training.emotion.examples import examples
from training.emotion.predict import predict
from training.emotion.recipe import Recipe
from training.emotion.schedule import image_side, learning_rate
from training.errors import TrainingError
from training.schedule import Clock

STATE, MODEL, BEST = "resume.json", "resume.keras", "best.weights.h5"


def train(recipe: Recipe, data: Path, out: Path) -> float:
    """Train on the split ``train`` of ``data``, validate on ``public``; return the best accuracy.

    ``out`` receives ``recipe.json``, ``curve.csv``, ``last.weights.h5`` and ``best.weights.h5``
    (averaged weights), ``raw.weights.h5`` (not averaged), and ``resume.keras`` with
    ``resume.json``, from which the next call resumes a cut run.

    Raises:
        TrainingError: there are fewer faces than one batch, or faces without a target.

    """
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    keras.utils.set_random_seed(recipe.seed)
    run = Run(recipe, read_split(data, "train"), read_split(data, "public"), out)
    with run.batches:
        while run.share < 1 or not run.number:  # even a short schedule has one epoch
            run.epoch()
    return run.best


def finished(out: Path) -> bool:
    """Return whether the run in the folder ``out`` reached the end of its schedule."""
    state = out / STATE
    return state.exists() and json.loads(state.read_text())["share"] >= 1


class Run:
    """One training: the model, its progress and its folder."""

    def __init__(self, recipe: Recipe, training: Split, public: Split, out: Path) -> None:
        self.recipe, self.public, self.out = recipe, public, out
        self.batches = _batches(recipe, training)
        self.clock = Clock(recipe.epochs * len(self.batches), recipe.minutes)
        self.number, self.step, self.best = 0, 0, best_accuracy(out / BEST)
        self.recent: deque[npt.NDArray[np.uint8]] = deque(maxlen=32)
        runs = [Path(run) for run in recipe.teachers.split(",") if run]
        self.teachers = Teachers(runs, recipe.teacher_share)
        self.model = self._resumed() if (out / STATE).exists() else compiled(recipe)

    @property
    def share(self) -> float:
        """The finished share of the run, 0 to 1."""
        return self.clock.progress(self.step)

    def epoch(self) -> None:
        """Train for one epoch or until the clock ends, validate the average, save everything."""
        side = image_side(self.share, self.recipe.sides)
        loss = self._steps(side)
        self.number += 1
        with averaged(self.model, self.recent):
            self._validate(side, loss)
        self._save()

    def _steps(self, side: int) -> float:
        self.model.reset_metrics()
        loss = float("nan")
        for faces, targets in self.batches.epoch(self.number, side):
            self.model.optimizer.learning_rate = learning_rate(self.share, self.recipe.rate)
            loss = float(self.model.train_on_batch(faces, self.teachers.targets(faces, targets)))
            self.recent.append(faces)
            self.step += 1
            if self.share >= 1:
                break
        return loss

    def _validate(self, side: int, loss: float) -> None:
        probabilities = softmax(predict(self.model, self.public.faces, side))
        score = accuracy(probabilities, self.public.labels)
        row = {
            "epoch": self.number,
            "seconds": round(self.clock.elapsed()),
            "share": round(self.share, 4),
            "side": side,
            "loss": round(loss, 4),
            "accuracy": round(score, 4),
            "nll": round(negative_log_likelihood(probabilities, self.public.labels), 4),
        }
        print(row, flush=True)
        curve.append(self.out, row)
        save_weights(self.model, self.out / "last.weights.h5")
        if score >= self.best:
            self.best = score
            save_weights(self.model, self.out / BEST, score)

    def _save(self) -> None:
        save_weights(self.model, self.out / "raw.weights.h5")
        save_model(self.model, self.out / MODEL)
        state = {
            "number": self.number,
            "step": self.step,
            "seconds": self.clock.elapsed(),
            "share": self.share,
        }
        temporary = self.out / "saving.json"
        temporary.write_text(json.dumps(state))
        temporary.replace(self.out / STATE)

    def _resumed(self) -> Any:
        state = json.loads((self.out / STATE).read_text())
        self.number, self.step = state["number"], state["step"]
        self.clock.spent = state["seconds"]
        return keras.models.load_model(self.out / MODEL)


def _batches(recipe: Recipe, training: Split) -> Batches:
    faces, targets = examples(recipe, training)
    most = len(faces)
    if recipe.batch > most:
        raise TrainingError(
            f"{most} faces are less than one batch of {recipe.batch}: set --batch {most} or less"
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
