"""Two runs that share their first layers, as one network whose logits are the mean of theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from training.emotion.checkpoint import load_run, save_weights, up_to
from training.emotion.networks import build
from training.emotion.recipe import load_recipe
from training.emotion.schedule import image_side
from training.emotion.transfer import FORK, SECOND


def join(first: Path, second: Path, out: Path) -> None:
    """Write the run `out`: both runs' branches behind the layers that they have in common.

    The last weights of both count, which are those that ``--below`` takes.

    Raises:
        ValueError: they ended at different sides, or a layer that they are to share is not the
            same in both.

    """
    recipe = load_recipe(first / "recipe.json")
    _require_side(image_side(1.0, recipe.sides), second)
    ones, others = load_run(first, "last"), load_run(second, "last")
    _require_shared(ones, others)
    recipe = replace(recipe, branches=2, start="", below="")
    model = build(recipe)
    for layer in model.layers:
        source = others if layer.name.startswith(SECOND) else ones
        if layer.weights and layer.name != "logits":
            layer.set_weights(source.get_layer(layer.name.removeprefix(SECOND)).get_weights())
    model.get_layer("logits").set_weights(_mean_logits(ones, others))
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    save_weights(model, out / "last.weights.h5")


def _require_side(side: int, run: Path) -> None:
    own = image_side(1.0, load_recipe(run / "recipe.json").sides)
    if own != side:
        raise ValueError(
            f"{run} ended at side {own}, the first at {side}; train with --sides 0:{side}"
        )


def _require_shared(ones: keras.Model, others: keras.Model) -> None:
    for layer, other in zip(up_to(ones, FORK), up_to(others, FORK), strict=True):
        if not all(map(np.array_equal, layer.get_weights(), other.get_weights())):
            raise ValueError(
                f"{layer.name!r} differs between the runs; train the second"
                f" with --frozen {FORK} --below the first"
            )


def _mean_logits(ones: keras.Model, others: keras.Model) -> list[np.ndarray]:
    (kernel, bias), (kernel_2, bias_2) = (
        model.get_layer("logits").get_weights() for model in (ones, others)
    )
    return [np.concatenate([kernel, kernel_2]) / 2, (bias + bias_2) / 2]
