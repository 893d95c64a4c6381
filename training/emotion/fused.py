"""The network `mobileface` on CPUs with bfloat16: its matrix products there, `depthwise` between.

A step over faces of 40 pixels takes less than half of the time that it takes Keras
(`docs/LOG.md`). The weights are the Keras model's own, and so is the optimizer.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from tensorrtx.arcface.mobilefacenet import blocks
from training.emotion.depthwise import Weights, available, depthwise
from training.emotion.recipe import Recipe


class Fused:
    """A Keras `mobileface` of one branch with methods of its own for training and reading."""

    def __init__(self, model: keras.Model, dropout: float) -> None:
        self._model, self._dropout = model, dropout

    def train_on_batch(
        self, faces: npt.NDArray[np.uint8], targets: npt.NDArray[np.float32]
    ) -> float:
        """One step of the model's optimizer; faces (N, H, W), targets (N, 7); returns the loss."""
        variables = self._model.trainable_variables
        loss = F.cross_entropy(self.logits(faces, training=True), torch.from_numpy(targets))
        self._model.zero_grad()
        loss.backward()
        with torch.no_grad():
            gradients = [variable.value.grad for variable in variables]
            self._model.optimizer.apply(gradients, variables)
        return float(loss.detach())

    def predict_on_batch(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits float32 (N, 7) of faces uint8 (N, H, W)."""
        with torch.no_grad():
            return np.asarray(self.logits(faces).numpy())

    def logits(self, faces: npt.NDArray[np.uint8], *, training: bool = False) -> Tensor:
        """Logits float32 (N, 7) of faces uint8 (N, H, W), with what their gradients need."""
        x = self._filtered(self._stem(faces), "conv_1_relu", "conv_2_dw")
        for name, _, stride in blocks():
            y = self._product(x, f"{name}_conv_sep")
            y = self._filtered(y, f"{name}_conv_sep_relu", f"{name}_conv_dw", stride)
            y = self._product(y, f"{name}_conv_proj")
            x = x + y if stride == 1 else y
        maps = self._product(x, "conv_6sep").float().flatten(1, 2).transpose(1, 2)
        features = F.prelu(maps, self._weights("conv_6sep_relu")[0]).mean(2)
        kernel, bias = self._weights("logits")
        return F.dropout(features, self._dropout, training) @ kernel + bias

    def _stem(self, faces: npt.NDArray[np.uint8]) -> Tensor:
        """The first 3x3 convolution, as a product of every pixel's neighbourhood."""
        with torch.no_grad():
            pixels = self._model.get_layer("standardize")(faces)[..., 0]
            height, width = pixels.shape[1:]
            around = F.pad(pixels, (1, 1, 1, 1))
            seen = [around[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        kernel, bias = self._weights("conv_1")
        return _linear(torch.stack(seen, -1).bfloat16(), kernel.reshape(9, -1), bias)

    def _product(self, x: Tensor, name: str) -> Tensor:
        kernel, bias = self._weights(name)
        return _linear(x, kernel[0, 0], bias)

    def _filtered(self, x: Tensor, before: str, name: str, stride: int = 1) -> Tensor:
        kernel, bias = self._weights(name)
        (first,), (second,) = self._weights(before), self._weights(f"{name}_relu")
        return depthwise(x, Weights(first, kernel.reshape(9, -1), bias, second), stride)

    def _weights(self, name: str) -> list[Tensor]:
        return [weight.value for weight in self._model.get_layer(name).weights]


def fused(model: keras.Model, recipe: Recipe) -> Fused | None:
    """Return the model's fused network where recipe, machine and what it reads allow for one."""
    fits = recipe.network == "mobileface" and recipe.branches == 1 and recipe.mixed_precision
    plain = all(layer.name != "resampled" for layer in model.layers)
    ours = available() and not torch.cuda.is_available()
    return Fused(model, recipe.dropout) if fits and plain and ours else None


def _linear(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, kernel.T.to(x.dtype), bias.to(x.dtype))
