"""Networks of `training.emotion.networks` in PyTorch, and their weights as Keras has them."""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor, nn

from analysis.evaluation.fer2013 import LABELS
from training.emotion.recipe import Recipe
from training.errors import TrainingError

Arrays = list[npt.NDArray[np.float32]]

# Axes of PyTorch's kernels in the order in which Keras has them.
CONVOLUTION, DEPTHWISE, DENSE = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)
# `tensorrtx.arcface.mobilefacenet`, which needs ONNX, has these too: channels behind the first
# convolution and before the mean; of each stage the channels inside the block that halves the
# maps, residual blocks behind it, channels inside those, channels out.
STEM, HEAD = 64, 512
STAGES = ((128, 4, 128, 64), (256, 6, 256, 128), (512, 2, 256, 128))


def network(recipe: Recipe) -> Network:
    """Return the recipe's network with random weights.

    Raises:
        TrainingError: a network that there is in Keras alone.

    """
    match recipe.network:
        case "fer48":
            body = _fer48(recipe.width, recipe.blocks)
        case "mobileface":
            body = _mobileface()
        case other:
            raise TrainingError(f"--device trains fer48 or mobileface, not {other}")
    return Network(body, recipe.dropout)


class Network(nn.Module):
    """Pixels float (N, H, W), 0 to 255 -> logits float32 (N, 7); fer48 takes H, W of 8, 16, …."""

    def __init__(self, body: list[nn.Module], dropout: float) -> None:
        super().__init__()
        self.body, self.dropout = nn.Sequential(*body), nn.Dropout(dropout)
        channels = [each for each in self.body.modules() if isinstance(each, nn.Conv2d)][-1]
        self.logits = nn.Linear(channels.out_channels, len(LABELS))
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits of each face."""
        faces = standardized(pixels).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        features = self.dropout(self.body(faces).mean((2, 3)).float())
        with torch.autocast(pixels.device.type, enabled=False):
            logits: Tensor = self.logits(features)
        return logits


def _fer48(width: int, blocks: int) -> list[nn.Module]:
    layers: list[nn.Module] = [Conv(1, 16), nn.ReLU()]
    channels = 16
    for wide in (width, 2 * width, 4 * width):
        layers += [Conv(channels, wide, 2), nn.ReLU()]
        layers += [Residual(wide) for _ in range(blocks)]
        channels = wide
    return layers


def _mobileface() -> list[nn.Module]:
    layers: list[nn.Module] = [*_sloped(nn.Conv2d(1, STEM, 3, padding=1)), *_depthwise(STEM, 1)]
    channels = STEM
    for wide, residuals, width, out in STAGES:
        layers.append(Inverted(channels, wide, out, 2))
        layers += [Inverted(out, width, out, 1) for _ in range(residuals)]
        channels = out
    return [*layers, *_sloped(nn.Conv2d(channels, HEAD, 1))]


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


class Inverted(nn.Sequential):
    """A block of MobileFaceNet: widened, filtered depth-wise, projected; residual at stride 1."""

    def __init__(self, channels: int, wide: int, out: int, stride: int) -> None:
        widened = _sloped(nn.Conv2d(channels, wide, 1))
        super().__init__(*widened, *_depthwise(wide, stride), nn.Conv2d(wide, out, 1))
        self.residual = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out, H / stride, W / stride)."""
        y: Tensor = super().forward(x)
        return x + y if self.residual else y


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    return _sloped(nn.Conv2d(channels, channels, 3, stride, 1, groups=channels))


def _sloped(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.PReLU(convolution.out_channels)]


def standardized(pixels: Tensor) -> Tensor:
    """Each face with zero mean and unit deviation, as `training.emotion.networks.Standardize`."""
    scaled = pixels.float() / 255
    centred = scaled - scaled.mean((1, 2), keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean((1, 2), keepdim=True) + 1e-4)


def arrays(module: nn.Module) -> Arrays:
    """Return the weights in the order and the layouts of Keras' ``Model.get_weights``."""
    return [
        tensor.permute(axes).detach().float().cpu().numpy() for tensor, axes in _tensors(module)
    ]


def load_arrays(module: nn.Module, values: Iterable[npt.NDArray[np.float32]]) -> None:
    """Fill the network from what `arrays` returned.

    Raises:
        TrainingError: the weights are another network's.

    """
    with torch.no_grad():
        for (tensor, axes), value in zip(_tensors(module), values, strict=True):
            seen = tensor.permute(axes)
            if seen.shape != value.shape:
                raise TrainingError(f"weights of {value.shape} for {tuple(seen.shape)}")
            seen.copy_(torch.from_numpy(value))


def _tensors(module: nn.Module) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
    """Each weight, and its axes in the order in which Keras has them."""
    for each in module.modules():
        match each:
            case nn.Conv2d():
                yield each.weight, CONVOLUTION if each.groups == 1 else DEPTHWISE
            case nn.Linear():
                yield each.weight, DENSE
            case nn.BatchNorm2d() | nn.PReLU():
                yield each.weight, (0,)
        if getattr(each, "bias", None) is not None:
            yield each.bias, (0,)
        if isinstance(each, nn.BatchNorm2d):
            yield each.running_mean, (0,)
            yield each.running_var, (0,)
