"""Print how far the fused `mobileface` is from Keras on PyTorch: run by `test_fused.py`."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from csv import DictReader
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import torch
from torch.nn import functional

from analysis.evaluation.fer2013 import read_split
from training.emotion.checkpoint import compiled
from training.emotion.depthwise import has_bfloat16
from training.emotion.fused import Fused, fused
from training.emotion.networks import build
from training.emotion.recipe import Recipe
from training.emotion.train import Run, train

FACES = np.random.default_rng(0).integers(0, 256, (7, 16, 16)).astype(np.uint8)
LARGE = FACES.repeat(4, 1).repeat(4, 2)
TARGETS = np.eye(7, dtype=np.float32)


def main(start: str) -> None:
    """Compare logits and gradients with the weights `start`, then train a little."""
    base = Recipe(network="mobileface", start=start, optimizer="adamw", jit=False)
    recipe = replace(base, rate=3e-4, dropout=0.0, frozen="conv_1_relu")
    keras.utils.set_random_seed(0)
    model = compiled(recipe)
    ours = Fused(model, recipe, half=has_bfloat16())
    fine = replace(recipe, fine=True, sides={0.0: 64})
    pairs = {
        "float32": (Fused(model, recipe, half=False), FACES),
        "bfloat16": (Fused(model, recipe, half=True), FACES),
        "fine": (Fused(compiled(fine), fine, half=False), LARGE),
    }
    result: dict[str, Any] = {
        "logits": {name: apart(*pair) for name, pair in pairs.items()},
        "cosine": {name: alike(*pair) for name, pair in pairs.items()},
        "losses": [ours.train_on_batch(FACES, TARGETS) for _ in range(24)],
        "stem kept": bool(np.array_equal(model.get_layer("conv_1").get_weights()[0], stem(start))),
    }
    mixed = Recipe(network="mobileface", mixed_precision=True)
    small = build(recipe, 40)  # which shows faces of 48 pixels shrunk
    chosen = [(model, mixed), (model, recipe), (small, mixed)]
    result["chosen"] = [fused(*each) is not None for each in chosen]
    with TemporaryDirectory() as folder:
        result["used"], curve = trained(base, Path(folder))
        result["seconds"] = [row["seconds"] for row in curve]
    json.dump(result, sys.stdout)


def trained(base: Recipe, folder: Path) -> tuple[list[bool], list[dict[str, str]]]:
    """Whether network and teacher of a run are fused; the curve of one that went on, and of it."""
    data, first, second = folder / "data.npz", folder / "first", folder / "second"
    faces, labels = FACES.repeat(3, 1).repeat(3, 2), np.arange(7)
    np.savez(data, x_train=faces, y_train=labels, x_public=faces, y_public=labels)
    recipe = replace(base, rate=1e-4, epochs=1, batch=7, sides={0.0: 16}, mixed_precision=True)
    with redirect_stdout(sys.stderr):
        train(recipe, data, first)
        train(replace(recipe, epochs=2), data, first)
        pupil = replace(recipe, teachers=str(first))
        train(pupil, data, second)
    run = Run(pupil, read_split(data, "train"), read_split(data, "public"), second)
    used = [isinstance(each, Fused) for each in (run.network, *run.teachers._models)]
    with (first / "curve.csv").open() as curve, (second / "curve.csv").open() as other:
        return used, [*DictReader(curve), *DictReader(other)]


def stem(start: str) -> np.ndarray:
    """The kernel of the first layer as the start has it."""
    fresh = compiled(Recipe(network="mobileface", start=start))
    return np.asarray(fresh.get_layer("conv_1").get_weights()[0])


def apart(network: Fused, faces: np.ndarray) -> float:
    """How far the logits are from those of the Keras model, as a share of the largest."""
    theirs = keras.ops.convert_to_numpy(network._model(faces))
    return float(np.abs(network.predict_on_batch(faces) - theirs).max() / np.abs(theirs).max())


def alike(network: Fused, faces: np.ndarray) -> float:
    """The cosine between the gradients of both."""
    model = network._model
    said = model(faces), network.logits(faces)
    return cosine(*(gradients(model, each) for each in said))


def gradients(model: keras.Model, logits: torch.Tensor) -> torch.Tensor:
    """All gradients of the loss as one vector."""
    model.zero_grad()
    functional.cross_entropy(logits, torch.from_numpy(TARGETS)).backward()
    every = [variable.value.grad.flatten() for variable in model.trainable_variables]
    return torch.cat(every).clone()


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    """The cosine of the angle between two vectors."""
    return float(functional.cosine_similarity(one, other, 0))


if __name__ == "__main__":
    main(sys.argv[1])
