"""The network: four blocks of stride 2 on a 64x64 crop, and one convolution at the end."""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from itertools import pairwise

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from analysis.landmarks import SIDE
from tensorrtx.layers import BATCH, Affine, Graph, batch_norm

WIDTHS = (3, 24, 48, 96, 128)
LAST = SIDE >> (len(WIDTHS) - 1)  # side of the last maps
MEAN, DEVIATION = 127.5, 64.0  # of the pixels, approximately
UNIT = 16.0  # pixels of the crop per unit of the last layer
DROPOUT = 0.2


class Block(nn.Module):
    """Two 3x3 convolutions, each with normalisation and ReLU; the first has stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.down_norm = nn.BatchNorm2d(outputs)
        self.same = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.same_norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, s, s) to (B, outputs, s / 2, s / 2)."""
        maps = torch.relu(self.down_norm(self.down(maps)))
        return torch.relu(self.same_norm(self.same(maps)))


class Placer(nn.Module):
    """(B, 64, 64, 3) uint8 RGB to (B, 5, 2): offsets of the landmarks from the template, pixels.

    26 million multiply-adds per face.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(*widths) for widths in pairwise(WIDTHS))
        self.last = nn.Conv2d(WIDTHS[-1], 10, LAST)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the offsets."""
        maps = (crops.permute(0, 3, 1, 2).float() - MEAN) / DEVIATION
        for block in self.blocks:
            maps = block(maps)
        maps = nn.functional.dropout(maps, DROPOUT, self.training)
        points: Tensor = self.last(maps).reshape(-1, 5, 2) * UNIT
        return points


def export(placer: Placer) -> onnx.ModelProto:
    """Return the trained network as ONNX, `faces` uint8 (N, 64, 64, 3) to `moved` (N, 5, 2)."""
    graph = Graph()
    maps = graph.pixels("faces", (MEAN,) * 3)
    scale = 1 / DEVIATION
    for number, block in enumerate(placer.blocks):
        for part, stride in (("down", 2), ("same", 1)):
            name, conv = f"{number}.{part}", getattr(block, part)
            norm = _affine(getattr(block, f"{part}_norm"))
            kernel = conv.weight.detach().numpy().astype(np.float64) * scale
            maps = graph.conv(name, maps, kernel, norm=norm, stride=stride, padding=1)
            maps, scale = graph.leaky(maps, 0), 1.0
    kernel = placer.last.weight.detach().numpy().astype(np.float64) * UNIT
    bias = placer.last.bias.detach().numpy().astype(np.float64) * UNIT
    flat = graph.conv("last", maps, kernel, bias=bias)
    moved = graph.node("Reshape", flat, graph.numbers(-1, 5, 2))
    source = ("faces", onnx.TensorProto.UINT8, (BATCH, SIDE, SIDE, 3))
    return graph.model("landmarks", source, {"moved": (moved, (BATCH, 5, 2))})


def _affine(norm: nn.BatchNorm2d) -> Affine:
    values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    gamma, beta, mean, variance = (value.detach().numpy() for value in values)
    return batch_norm(gamma, beta, mean, variance, norm.eps)
