"""Compile a recipe, average its weights, and keep both on disk so that a cut run can go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from analysis.evaluation.fer2013 import Split
from training.emotion.labels import prior_shift
from training.emotion.logits import shift_logits
from training.emotion.networks import build
from training.emotion.recipe import Recipe, load_recipe
from training.errors import TrainingError


def compiled(recipe: Recipe) -> keras.Model:
    """Return the recipe's network with its optimizer and loss.

    Raises:
        TrainingError: ``below`` without ``frozen``, or a layer or an optimizer of no such name.

    """
    if recipe.below and not recipe.frozen:
        raise TrainingError("--below RUN gives its weights to frozen layers: add --frozen LAYER")
    if recipe.mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = build(recipe)
    if recipe.below:
        _take_below(model, load_run(Path(recipe.below), "last"), recipe.frozen)
    if recipe.frozen:
        freeze(model, recipe.frozen)
    optimizer = _optimizer(recipe)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias", "slope", "counts"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=recipe.jit)
    return model


def freeze(model: keras.Model, last: str) -> None:
    """Keep the weights of the layers up to the one named ``last``, which spares their gradients."""
    for layer in up_to(model, last):
        layer.trainable = False


def up_to(model: keras.Model, last: str) -> list[keras.layers.Layer]:
    """Return the layers with weights up to the one named ``last``.

    Raises:
        TrainingError: no layer has that name; the message gives those that there are.

    """
    names = [layer.name for layer in model.layers]
    if last not in names:
        raise TrainingError(f"no layer {last!r} to freeze up to; there are {', '.join(names)}")
    return [layer for layer in model.layers[: names.index(last) + 1] if layer.weights]


def _take_below(model: keras.Model, other: keras.Model, last: str) -> None:
    for layer, source in zip(up_to(model, last), up_to(other, last), strict=True):
        layer.set_weights(source.get_weights())


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

    The statistics of batch normalisation belong to the weights they were seen
    under, so those of the average are taken anew over ``batches`` of training
    faces (as for stochastic weight averaging, arXiv 1803.05407).
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


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights so that a cut run leaves the old file or the new one."""
    temporary = path.with_name("saving.weights.h5")
    model.save_weights(temporary)
    temporary.replace(path)


def save_model(model: keras.Model, path: Path) -> None:
    """Write the model and its optimizer's state, likewise."""
    temporary = path.with_name("saving.keras")
    model.save(temporary)
    temporary.replace(path)


def load_run(run: Path, weights: str = "best", side: int | None = None) -> keras.Model:
    """Return the network of a run's folder in float32, with its best or last weights.

    It takes faces of 48 pixels and reads them at the side that the run ended with, or at ``side``;
    with a ``side`` of 48, faces of any side are read as they are.
    """
    recipe = load_recipe(run / "recipe.json")
    model = build(replace(recipe, start=""), side)
    arrays = run / f"{weights}.npz"
    if arrays.exists():  # trained on a device
        with np.load(arrays) as file:
            model.set_weights(list(file.values()))
    else:
        model.load_weights(run / f"{weights}.weights.h5")
    return model


def load_shifted(run: Path, weights: str, split: Split) -> keras.Model:
    """Return the run's network with the labels' own prior, from the training part ``split``."""
    model = load_run(run, weights)
    recipe = load_recipe(run / "recipe.json")
    if not recipe.fit_votes:  # what is fitted to the labels has their prior
        shift_logits(model, prior_shift(split.labels, split.votes, recipe.label_weight))
    return model
