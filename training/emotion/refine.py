"""Turn a trained `mobileface` into one that sees faces at twice the side, at nearly the same cost.

A network that ends on 36 pixels sees averages of the 48 pixels of a face. Its fine form sees faces
at 72: the first convolution reads 6x6 pixels instead of 3x3 and has a stride of two, so that all
maps keep their size. Every place of the last maps gets a weight of its own. The fine network starts
with the outputs of the plain one and is trained further from there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.evaluation.fer2013 import SIDE
from training.emotion.checkpoint import load_run, save_weights
from training.emotion.networks import build
from training.emotion.recipe import load_recipe
from training.emotion.schedule import image_side
from training.emotion.transfer import PlacedMean, spread
from training.errors import TrainingError


def refine(run: Path, out: Path) -> None:
    """Write the fine form of the last weights of ``run`` to ``out``, a start for ``train --fine``.

    Raises:
        TrainingError: the run is not a ``mobileface``, or is fine already.

    """
    recipe = load_recipe(run / "recipe.json")
    if recipe.network != "mobileface" or recipe.fine:
        raise TrainingError(f"{run} is not a mobileface without --fine")
    side = 2 * image_side(1.0, recipe.sides)
    fine = replace(recipe, fine=True, start="", sides={0.0: side})
    plain, model = load_run(run, "last", SIDE), build(fine, SIDE)
    for layer in model.layers:
        if not layer.weights or isinstance(layer, PlacedMean):
            continue
        kernel, *rest = plain.get_layer(layer.name).get_weights()
        layer.set_weights([spread(kernel) if layer.name == "conv_1" else kernel, *rest])
    out.mkdir(parents=True, exist_ok=True)
    fine.save(out / "recipe.json")
    save_weights(model, out / "last.weights.h5")
