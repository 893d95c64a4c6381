"""The network `mobileface` on CPUs: its matrix products in PyTorch, `depthwise` between.

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
from training.emotion.depthwise import Weights, available, depthwise, has_bfloat16
from training.emotion.recipe import Recipe


class Fused:
    """A Keras `mobileface` of one branch with methods of its own for training and reading.

    What is between its layers is bfloat16 where ``half``, and float32 elsewhere.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, *, half: bool) -> None:
        self._model, self._dropout, self._fine = model, recipe.dropout, recipe.fine
        self._type = torch.bfloat16 if half else torch.float32

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
        features = self._mean(F.prelu(maps, self._weights("conv_6sep_relu")[0]))
        kernel, bias = self._weights("logits")
        return F.dropout(features, self._dropout, training) @ kernel + bias

    def _stem(self, faces: npt.NDArray[np.uint8]) -> Tensor:
        """The first convolution, as a product of what is around every pixel, or every second."""
        kernel, bias = self._weights("conv_1")
        step = 2 if self._fine else 1
        side = 3 * step
        with torch.no_grad():
            pixels = self._model.get_layer("standardize")(faces)[..., 0] / step**2
            around = F.pad(pixels, (step,) * 4)
            rows, columns = (length - step + 1 for length in pixels.shape[1:])
            seen = [
                around[:, i : i + rows : step, j : j + columns : step]
                for i in range(side)
                for j in range(side)
            ]
        return _linear(torch.stack(seen, -1).to(self._type), kernel.reshape(side**2, -1), bias)

    def _mean(self, maps: Tensor) -> Tensor:
        """The features (N, C) of the last maps (N, C, places)."""
        if self._fine:
            (counts,) = self._weights("places")
            maps = maps * counts.flatten(0, 1).T
        return maps.mean(2)

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
    fits = recipe.network == "mobileface" and recipe.branches == 1
    plain = all(layer.name != "resampled" for layer in model.layers)
    ours = available() and not torch.cuda.is_available()
    half = recipe.mixed_precision and has_bfloat16()
    return Fused(model, recipe, half=half) if fits and plain and ours else None


def _linear(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, kernel.T.to(x.dtype), bias.to(x.dtype))
