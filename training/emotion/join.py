"""Two runs as one network whose logits are the mean of all their ends'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from analysis.evaluation.fer2013 import Split
from training.emotion.checkpoint import load_shifted, save_weights, up_to
from training.emotion.logits import networks, scale_logits
from training.emotion.networks import build
from training.emotion.recipe import Recipe, View, load_recipe
from training.emotion.schedule import image_side
from training.emotion.transfer import FORK, SECOND
from training.errors import TrainingError


def join(first: Path, second: Path, out: Path, split: Split, views: Sequence[View] = ()) -> None:
    """Write the run `out`: both runs side by side, the layers up to `FORK` once where they agree.

    They may be of different forms and have ended on different sides: each goes on seeing its own.
    With ``views``, one a network, each is shown another view of the face: a part of what averages
    over views give (Krizhevsky et al., NIPS 2012), at no cost.
    The last weights of both count, which are those that ``--below`` takes. Runs may have learnt
    different mixtures of labels and votes: the logits of each get the labels' own prior, from the
    training part ``split``, before they are averaged.

    Raises:
        TrainingError: views, but not one for each network.

    """
    loaded = [load_recipe(run / "recipe.json") for run in (first, second)]
    recipes = [replace(recipe, start="", below="") for recipe in loaded]
    models = [load_shifted(run, "last", split) for run in (first, second)]
    ends = [sum(each.branches for each in _parts(recipe)) for recipe in recipes]
    for model, count in zip(models, ends, strict=True):
        scale_logits(model, count / sum(ends))
    joined = _branched if _begin_alike(recipes, models) else _side_by_side
    recipe, model = joined(recipes, models)
    if views:
        recipe = _viewed(recipe, views)
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    save_weights(model, out / "last.weights.h5")


def _parts(recipe: Recipe) -> tuple[Recipe, ...]:
    return recipe.parts or (recipe,)


def _viewed(recipe: Recipe, views: Sequence[View]) -> Recipe:
    parts = _parts(recipe)
    if len(views) != len(parts):
        raise TrainingError(f"{len(views)} views for {len(parts)} networks: give one for each")
    shown = tuple(replace(part, view=view) for part, view in zip(parts, views, strict=True))
    return replace(recipe, parts=shown) if recipe.parts else shown[0]


def _begin_alike(recipes: Sequence[Recipe], models: Sequence[keras.Model]) -> bool:
    """Whether two networks of one branch have the same layers up to `FORK` and see the same."""
    forms = {(each.network, each.branches, image_side(1.0, each.sides)) for each in recipes}
    if len(forms) > 1 or next(iter(forms))[:2] != ("mobileface", 1):
        return False
    both = zip(*(up_to(model, FORK) for model in models), strict=True)
    return all(
        all(map(np.array_equal, one.get_weights(), other.get_weights())) for one, other in both
    )


def _branched(
    recipes: Sequence[Recipe], models: Sequence[keras.Model]
) -> tuple[Recipe, keras.Model]:
    """One network with two ends."""
    recipe = replace(recipes[0], branches=2, label_weight=1.0)
    model, (ones, others) = build(recipe), models
    for layer in model.layers:
        if layer.weights and layer.name != "logits":
            second = layer.name.startswith(SECOND)
            source = others if second else ones
            layer.set_weights(source.get_layer(layer.name.removeprefix(SECOND)).get_weights())
    last = [each.get_layer("logits").get_weights() for each in models]
    (kernel, bias), (kernel_2, bias_2) = last
    model.get_layer("logits").set_weights([np.concatenate([kernel, kernel_2]), bias + bias_2])
    return recipe, model


def _side_by_side(
    recipes: Sequence[Recipe], models: Sequence[keras.Model]
) -> tuple[Recipe, keras.Model]:
    """All networks of both, added up."""
    parts = tuple(part for recipe in recipes for part in _parts(recipe))
    recipe = Recipe(network="joined", parts=parts, label_weight=1.0)
    model = build(recipe)
    sources = [each for one in models for each in networks(one)]
    for network, source in zip(networks(model), sources, strict=True):
        network.set_weights(source.get_weights())
    return recipe, model
