"""MobileFaceNet (Chen et al., 2018) as InsightFace trained it, without batch normalisation.

Layers have the names of tensorrtx, so its `.wts` files load (with normalisations folded into the
convolutions) and the engines read the saved files.
"""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor, nn

from tensorrtx.arcface.mobilefacenet import DIMENSIONS, HEAD, STEM, blocks

SIDE = 112


class PRelu(torch.autograd.Function):
    """`F.prelu` for maps (N, C, h, w), with a gradient twice as fast as that of PyTorch on CPUs."""

    @staticmethod
    def forward(context: Any, x: Tensor, slope: Tensor) -> Tensor:
        """Scale negative values by the slope of their channel."""
        context.save_for_backward(x, slope)
        return F.prelu(x, slope)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of maps and slopes."""
        x, slope = context.saved_tensors
        above = torch.ops.aten.threshold_backward(gradient, x, 0)
        below = gradient - above
        of_slope = torch.linalg.vecdot(below.flatten(2), x.flatten(2)).sum(0)
        return below.mul_(slope[:, None, None]).add_(above), of_slope


class Layer(nn.Module):
    """A convolution with a bias and, unless it is `linear`, a PReLU with one slope per channel."""

    def __init__(
        self,
        name: str,
        channels: tuple[int, int],
        side: int = 1,
        *,
        stride: int = 1,
        padding: int | None = None,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.stride = name, stride
        self.padding = side // 2 if padding is None else padding
        inner, out = channels
        self.weight = nn.Parameter(torch.empty(out, inner, side, side))
        self.bias = nn.Parameter(torch.zeros(out))
        self.slope = None if linear else nn.Parameter(torch.full((out,), 0.25))
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, out, h / stride, w / stride); one-channel kernels are depth-wise."""
        groups = len(self.weight) if self.weight.shape[1] == 1 else 1
        y = F.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=groups)
        return y if self.slope is None else torch.as_tensor(PRelu.apply(y, self.slope))


class Block(nn.Sequential):
    """A sequence of layers; `residual` adds the input."""

    def __init__(self, *layers: Layer, residual: bool = False) -> None:
        super().__init__(*layers)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps to feature maps."""
        y: Tensor = super().forward(x)
        return x + y if self.residual else y


def bottleneck(name: str, widths: tuple[int, int, int], stride: int = 1) -> Block:
    """Return a block: 1x1, depth-wise 3x3, 1x1; `widths` are the channels in, inside and out."""
    inner, wide, out = widths
    return Block(
        Layer(f"{name}_conv_sep", (inner, wide)),
        Layer(f"{name}_conv_dw", (1, wide), 3, stride=stride),
        Layer(f"{name}_conv_proj", (wide, out), linear=True),
        residual=stride == 1,
    )


def head(inner: int) -> Block:
    """Return the last block, from the maps to the embedding (N, 128, 1, 1)."""
    return Block(
        Layer("conv_6sep", (inner, HEAD)),
        Layer("conv_6dw7_7", (1, HEAD), 7, padding=0, linear=True),
        Layer("fc1", (HEAD, DIMENSIONS), linear=True),
    )


class MobileFaceNet(nn.Module):
    """The network as a list of `blocks`, which learn the maps of the teacher between them."""

    def __init__(self) -> None:
        super().__init__()
        first = Layer("conv_1", (3, STEM), 3, stride=2), Layer("conv_2_dw", (1, STEM), 3)
        self.blocks = nn.Sequential()
        for name, widths, stride in blocks():
            block = bottleneck(name, widths, stride)
            self.blocks.append(block if self.blocks else Block(*first, *block))
            inner = widths[-1]
        self.blocks.append(head(inner))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the maps after every block, for (N, 3, 112, 112) RGB as (x - 127.5) / 128."""
        maps = []
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings (N, 128), not normalised."""
        return self.features(images)[-1].flatten(1)
