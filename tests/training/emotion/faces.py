"""Small faces, data sets and runs for the tests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.emotion.recipe import Recipe, Strength

ROOT = Path(__file__).parents[3]
EMBEDDER = ROOT / "engines/models/arcface-mobilefacenet.wts"
STILL = Strength((1.0, 1.0), shift=0.0, rotation=0.0, tone=0.0, degrade=0.0, erase=0.0)
TINY = Recipe(width=8, epochs=5, batch=14, rate=0.05, ema=0.8, strength=STILL)
TRANSFER = Recipe(
    network="mobileface",
    start=str(EMBEDDER),
    optimizer="adamw",
    rate=1e-3,
    weight_decay=0.05,
    epochs=1,
    batch=7,
)


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return faces and labels; the class is the height of a bright bar."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    faces = rng.integers(0, 80, (count, 48, 48)).astype(np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[4 + 6 * label : 8 + 6 * label, 8:40] = 250
    return faces, labels


def smooth() -> np.ndarray:
    """Return seven faces without detail, which look the same when they are enlarged."""
    noise = np.random.default_rng(0).integers(0, 256, (7, 6, 6)).astype(np.uint8)
    return np.stack([cv2.resize(each, (48, 48), interpolation=cv2.INTER_CUBIC) for each in noise])


def data_set(path: Path, faces: np.ndarray, labels: np.ndarray, public: Any = None) -> Path:
    """Write a data set; the public part is the training part unless it is given."""
    x_public, y_public = public or (faces, labels)
    np.savez(path, x_train=faces, y_train=labels, x_public=x_public, y_public=y_public)
    return path


def save(model: Any, recipe: Recipe, run: Path) -> Path:
    """Write the model as a finished run of the recipe."""
    run.mkdir()
    model.save_weights(run / "last.weights.h5")
    recipe.save(run / "recipe.json")
    return run


def curve(run: Path) -> list[dict[str, str]]:
    """Return the rows of a run's curve."""
    with (run / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))
