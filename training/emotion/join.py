"""Several runs as one network: the mean of their logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.evaluation.fer2013 import Split
from training.emotion.checkpoint import load_shifted, save_weights
from training.emotion.logits import networks, scale_logits
from training.emotion.networks import build
from training.emotion.recipe import Recipe, View, load_recipe
from training.errors import TrainingError


def join(runs: Sequence[Path], out: Path, split: Split, views: Sequence[View] = ()) -> None:
    """Write the run ``out``: the networks of all ``runs`` side by side, with their last weights.

    The runs may have different networks and image sides. With ``views``, one per network, each
    network sees another view of the face: part of the gain of averaging over views (Krizhevsky et
    al., NIPS 2012) at no cost. Runs may have been trained on different mixtures of labels and
    votes, so the logits of each are shifted to the label prior of the training part ``split``
    before they are averaged.

    Raises:
        TrainingError: the number of views is not the number of networks.

    """
    recipes = [load_recipe(run / "recipe.json") for run in runs]
    counts = [len(_parts(recipe)) for recipe in recipes]
    parts = tuple(replace(part, start="") for recipe in recipes for part in _parts(recipe))
    recipe = Recipe(network="joined", parts=_viewed(parts, views), label_weight=1.0)
    model, sources = build(recipe), []
    for run, count in zip(runs, counts, strict=True):
        source = load_shifted(run, "last", split)
        scale_logits(source, count / sum(counts))
        sources += networks(source)
    for network, source in zip(networks(model), sources, strict=True):
        network.set_weights(source.get_weights())
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    save_weights(model, out / "last.weights.h5")


def _parts(recipe: Recipe) -> tuple[Recipe, ...]:
    return recipe.parts or (recipe,)


def _viewed(parts: tuple[Recipe, ...], views: Sequence[View]) -> tuple[Recipe, ...]:
    if not views:
        return parts
    if len(views) != len(parts):
        raise TrainingError(f"{len(views)} views for {len(parts)} networks: give one per network")
    return tuple(replace(part, view=view) for part, view in zip(parts, views, strict=True))
