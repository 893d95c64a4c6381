"""Two runs as one network whose logits are the mean of all their ends'."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from engines.fer2013 import Split
from training.emotion.checkpoint import load_shifted, save_weights, up_to
from training.emotion.networks import build
from training.emotion.recipe import Recipe, load_recipe
from training.emotion.schedule import image_side
from training.emotion.transfer import FORK, SECOND, trunk_name


def join(first: Path, second: Path, out: Path, split: Split) -> None:
    """Write the run `out`: both runs side by side, the layers up to `FORK` once where they agree.

    The last weights of both count, which are those that ``--below`` takes. Runs may have learnt
    different mixtures of labels and votes: the logits of each get the labels' own prior, from the
    training part ``split``, before they are averaged.

    Raises:
        ValueError: they ended at different sides.

    """
    recipe, other = (load_recipe(run / "recipe.json") for run in (first, second))
    _require_side(recipe, other, second)
    ones, others = (load_shifted(run, "last", split) for run in (first, second))
    shared = recipe.branches == other.branches == "1" and _begin_alike(ones, others)
    trunks = len(recipe.branches.split(","))
    branches = "2" if shared else f"{recipe.branches},{other.branches}"
    recipe = replace(recipe, branches=branches, start="", below="", label_weight=1.0)
    model = build(recipe)
    moved = {_moved(layer.name, None if shared else trunks): layer for layer in others.layers}
    for layer in model.layers:
        if layer.weights and layer.name != "logits":
            source = moved.get(layer.name) or ones.get_layer(layer.name)
            layer.set_weights(source.get_weights())
    model.get_layer("logits").set_weights(_mean_logits(ones, others))
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    save_weights(model, out / "last.weights.h5")


def _require_side(recipe: Recipe, other: Recipe, run: Path) -> None:
    side, own = (image_side(1.0, each.sides) for each in (recipe, other))
    if own != side:
        raise ValueError(
            f"{run} ended at side {own}, the first at {side}; train with --sides 0:{side}"
        )


def _begin_alike(ones: keras.Model, others: keras.Model) -> bool:
    """Whether two networks of one branch have the same layers up to `FORK`."""
    both = zip(up_to(ones, FORK), up_to(others, FORK), strict=True)
    return all(
        all(map(np.array_equal, one.get_weights(), other.get_weights())) for one, other in both
    )


def _moved(name: str, trunks: int | None) -> str:
    """What a layer of the second run is called behind so many trunks, or as a second branch."""
    if trunks is None:
        return SECOND + name
    own = re.match(r"trunk_(\d+)_", name)
    index, rest = (int(own[1]) - 1, name[own.end() :]) if own else (0, name)
    return trunk_name(trunks + index) + rest


def _mean_logits(ones: keras.Model, others: keras.Model) -> list[np.ndarray]:
    """Kernel (512 * ends, 7) and bias (7,): every end counts alike."""
    (kernel, bias), (kernel_2, bias_2) = (
        model.get_layer("logits").get_weights() for model in (ones, others)
    )
    share = len(kernel) / (len(kernel) + len(kernel_2))
    kernels = np.concatenate([kernel * share, kernel_2 * (1 - share)])
    return [kernels, bias * share + bias_2 * (1 - share)]
