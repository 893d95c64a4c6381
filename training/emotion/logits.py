"""The last layers of a network; a joined network has several."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt


def networks(model: keras.Model) -> list[keras.Model]:
    """Return the networks of a joined model, or the model itself."""
    if model.name != "joined":
        return [model]
    return [layer for layer in model.layers if isinstance(layer, keras.Model)]


def scale_logits(model: keras.Model, factor: float) -> None:
    """Multiply the logits of the model by ``factor``."""
    for each in networks(model):
        logits = each.get_layer("logits")
        logits.set_weights([weights * factor for weights in logits.get_weights()])


def shift_logits(model: keras.Model, shift: npt.NDArray[np.float32]) -> None:
    """Add ``shift`` float32 (7,) to the logits of the model."""
    first, *_ = networks(model)
    kernel, bias = first.get_layer("logits").get_weights()
    first.get_layer("logits").set_weights([kernel, bias + shift])
