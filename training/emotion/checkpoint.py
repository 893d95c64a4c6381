"""Compile a recipe, average its weights, and keep both on disk for a resume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import Split
from training.emotion.labels import prior_shift
from training.emotion.logits import shift_logits
from training.emotion.networks import build
from training.emotion.recipe import Recipe, load_recipe
from training.errors import TrainingError

ACCURACY = "accuracy"  # attribute of the best checkpoint


def compiled(recipe: Recipe) -> keras.Model:
    """Return the network of a recipe with its optimizer and loss.

    Raises:
        TrainingError: a layer or an optimizer does not exist.

    """
    with _precision(recipe):
        model = build(recipe)
    if recipe.frozen:
        freeze(model, recipe.frozen)
    optimizer = _optimizer(recipe)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias", "slope", "counts"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    return model


@contextmanager
def _precision(recipe: Recipe) -> Iterator[None]:
    """Give new layers the precision of the recipe, and reset Keras' global policy afterwards."""
    before = keras.config.dtype_policy()
    if recipe.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def freeze(model: keras.Model, last: str) -> None:
    """Freeze all layers up to the one named ``last``.

    Raises:
        TrainingError: no layer has that name; the message lists all names.

    """
    names = [layer.name for layer in model.layers]
    if last not in names:
        raise TrainingError(f"no layer {last!r} to freeze up to; there are {', '.join(names)}")
    for layer in model.layers[: names.index(last) + 1]:
        layer.trainable = False


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    common = {
        "weight_decay": recipe.weight_decay,
        "use_ema": True,
        "ema_momentum": recipe.ema,
    }
    match recipe.optimizer:
        case "sgd":
            return keras.optimizers.SGD(recipe.rate, momentum=0.9, nesterov=True, **common)
        case "adamw":
            return keras.optimizers.AdamW(recipe.rate, **common)
        case unknown:
            raise TrainingError(f"unknown optimizer {unknown!r}: sgd or adamw")


@contextmanager
def averaged(model: keras.Model, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[None]:
    """Put the moving averages of the weights in place for the block.

    Batch statistics belong to the weights that produced them, so they are computed anew over
    ``batches`` of training faces (stochastic weight averaging, arXiv 1803.05407).
    """
    trained = [keras.ops.convert_to_numpy(each) for each in model.weights]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        for faces in batches:
            model(faces, training=True)
    try:
        yield
    finally:
        for variable, value in zip(model.weights, trained, strict=True):
            variable.assign(value)


def save_weights(model: keras.Model, path: Path, accuracy: float | None = None) -> None:
    """Replace the weights file at once, so that a cut run leaves the old file or the new one.

    ``accuracy`` goes into the same file, see `best_accuracy`.
    """
    temporary = path.with_name("saving.weights.h5")
    model.save_weights(temporary)
    if accuracy is not None:
        with h5py.File(temporary, "r+") as file:
            file.attrs[ACCURACY] = accuracy
    temporary.replace(path)


def best_accuracy(path: Path) -> float:
    """Return the accuracy that `save_weights` put into the file, 0 without a file.

    The score and the weights are one file, so a resumed run never replaces better weights, whenever
    the run before it was cut.
    """
    if not path.exists():
        return 0.0
    with h5py.File(path) as file:
        return float(file.attrs.get(ACCURACY, 0.0))


def save_model(model: keras.Model, path: Path) -> None:
    """Replace the file of the model and its optimizer at once."""
    temporary = path.with_name("saving.keras")
    model.save(temporary)
    temporary.replace(path)


def load_run(run: Path, weights: str = "best", side: int | None = None) -> keras.Model:
    """Return the network of a run in float32, with its best or last weights.

    It takes faces of 48 pixels and resamples them to the side on which the run ended, or to
    ``side``. A ``side`` of 48 gives a network that reads faces of any side without resampling.
    """
    recipe = load_recipe(run / "recipe.json")
    model = build(replace(recipe, start=""), side)
    model.load_weights(run / f"{weights}.weights.h5")
    return model


def load_shifted(run: Path, weights: str, split: Split) -> keras.Model:
    """Return the network of a run, shifted to the label prior of the training part ``split``."""
    model = load_run(run, weights)
    recipe = load_recipe(run / "recipe.json")
    if not recipe.fit_votes:  # targets fitted to the labels have their prior already
        shift_logits(model, prior_shift(split.labels, split.votes, recipe.label_weight))
    return model
