"""The quickest form of a network that this machine has."""

from __future__ import annotations

from typing import Any

import keras

from training.emotion.recipe import Recipe


def fast(model: keras.Model, recipe: Recipe) -> Any:
    """Return what trains and reads as ``model`` does: its `fused` form, or itself."""
    if keras.backend.backend() != "torch":
        return model
    from training.emotion.fused import fused  # noqa: PLC0415 - PyTorch, which may be missing

    return fused(model, recipe) or model
