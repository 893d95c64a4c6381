"""`training.emotion.networks.fer48` in PyTorch, and its weights as Keras has them."""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor, nn

from engines.fer2013 import LABELS

Arrays = list[npt.NDArray[np.float32]]


class Fer48(nn.Module):
    """Pixels float (N, H, W), 0 to 255, sides a multiple of 8 -> logits float32 (N, 7)."""

    def __init__(self, width: int = 40, blocks: int = 1, dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = [Conv(1, 16), nn.ReLU()]
        channels = 16
        for wide in (width, 2 * width, 4 * width):
            layers += [Conv(channels, wide, 2), nn.ReLU()]
            layers += [Residual(wide) for _ in range(blocks)]
            channels = wide
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.Linear(channels, len(LABELS))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits of each face."""
        faces = standardized(pixels).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        features = self.dropout(self.body(faces).mean((2, 3)).float())
        with torch.autocast(pixels.device.type, enabled=False):
            logits: Tensor = self.logits(features)
        return logits


class Conv(nn.Sequential):
    """A 3x3 convolution without bias and a normalisation."""

    def __init__(self, channels: int, filters: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(channels, filters, 3, stride, 2 - stride, bias=False)
        # As Keras' he_normal begins, but for the tails that it cuts.
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.05)
        # Keras pads even sides that are halved at their end alone.
        before = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
        super().__init__(*before, convolution, norm)


class Residual(nn.Module):
    """Two convolutions whose output, gated by squeeze and excitation, is added to the input."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first, self.second = Conv(filters, filters), Conv(filters, filters)
        self.squeeze = nn.Conv2d(filters, max(filters // 8, 8), 1)
        self.excite = nn.Conv2d(max(filters // 8, 8), filters, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        y = self.second(F.relu(self.first(x)))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        return F.relu(x + y * gate)


def standardized(pixels: Tensor) -> Tensor:
    """Each face with zero mean and unit deviation, as `training.emotion.networks.Standardize`."""
    scaled = pixels.float() / 255
    centred = scaled - scaled.mean((1, 2), keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean((1, 2), keepdim=True) + 1e-4)


def arrays(network: nn.Module) -> Arrays:
    """Return the weights in the order and the layouts of Keras' ``Model.get_weights``."""
    return [_as_keras(tensor).detach().float().cpu().numpy() for tensor in _tensors(network)]


def load_arrays(network: nn.Module, values: Iterable[npt.NDArray[np.float32]]) -> None:
    """Fill the network from what `arrays` returned; raises `ValueError` for another network's."""
    with torch.no_grad():
        for tensor, value in zip(_tensors(network), values, strict=True):
            given = torch.from_numpy(value)
            if given.ndim == 4:
                given = given.permute(3, 2, 0, 1)
            elif given.ndim == 2:
                given = given.T
            if given.shape != tensor.shape:
                raise ValueError(f"weights of {given.shape} where the network has {tensor.shape}")
            tensor.copy_(given)


def _tensors(network: nn.Module) -> Iterable[Tensor]:
    for module in network.modules():
        match module:
            case nn.BatchNorm2d():
                yield from (module.weight, module.bias, module.running_mean, module.running_var)
            case nn.Conv2d() | nn.Linear():
                yield from (each for each in (module.weight, module.bias) if each is not None)


def _as_keras(tensor: Tensor) -> Tensor:
    if tensor.ndim == 4:
        return tensor.permute(2, 3, 1, 0)
    return tensor.T if tensor.ndim == 2 else tensor
