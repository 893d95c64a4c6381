"""RetinaFace with a MobileNet-V1 x0.25 body (arXiv 1905.00641).

Parameters have the names of biubug6/Pytorch_Retinaface, so both load the same `.wts` files.
"""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor, nn

STRIDES = (8, 16, 32)
CHANNELS = 64
ANCHORS_PER_CELL = 2
SLOPE = 0.1  # of the LeakyReLU; the sum of branches has a ReLU


@dataclass(frozen=True)
class Output:
    """Raw heads: `classes` (B, A, 2) logits, `boxes` (B, A, 4), `landmarks` (B, A, 10).

    `features` are the three input maps of the heads, (B, 64, H/s, W/s) for the strides s.
    """

    classes: Tensor
    boxes: Tensor
    landmarks: Tensor
    features: tuple[Tensor, ...]


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution without bias, and batch normalisation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def conv_bn_act(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return `conv_bn` and a LeakyReLU."""
    return conv_bn(inputs, outputs, kernel, stride).append(nn.LeakyReLU(SLOPE))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return depthwise 3x3 and pointwise 1x1, each with norm and LeakyReLU (arXiv 1704.04861)."""
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
    first = [depthwise, nn.BatchNorm2d(inputs), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*first, *conv_bn_act(inputs, outputs, 1))


class Body(nn.Module):
    """MobileNet-V1 x0.25 without its classifier: maps at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            conv_bn_act(3, 8, stride=2),
            separable(8, 16),
            separable(16, 32, 2),
            separable(32, 32),
            separable(32, 64, 2),
            separable(64, 64),
        )
        self.stage2 = nn.Sequential(separable(64, 128, 2), *(separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(separable(128, 256, 2), separable(256, 256))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) to the maps of the three stages."""
        first = self.stage1(images)
        second = self.stage2(first)
        return first, second, self.stage3(second)


class Pyramid(nn.Module):
    """Feature pyramid (arXiv 1612.03144): nearest upsampling, sum, 3x3 merge."""

    def __init__(self) -> None:
        super().__init__()
        self.output1 = conv_bn_act(64, CHANNELS, 1)
        self.output2 = conv_bn_act(128, CHANNELS, 1)
        self.output3 = conv_bn_act(256, CHANNELS, 1)
        self.merge1 = conv_bn_act(CHANNELS, CHANNELS)
        self.merge2 = conv_bn_act(CHANNELS, CHANNELS)

    def forward(self, maps: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Convert the maps of the body into three maps of 64 channels."""
        first, second, third = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        second = self.merge2(second + F.interpolate(third, second.shape[-2:], mode="nearest"))
        first = self.merge1(first + F.interpolate(second, first.shape[-2:], mode="nearest"))
        return first, second, third


class Context(nn.Module):
    """SSH context module (arXiv 1708.03979): 3x3, 5x5 and 7x7 fields side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3X3 = conv_bn(CHANNELS, CHANNELS // 2)
        self.conv5X5_1 = conv_bn_act(CHANNELS, CHANNELS // 4)
        self.conv5X5_2 = conv_bn(CHANNELS // 4, CHANNELS // 4)
        self.conv7X7_2 = conv_bn_act(CHANNELS // 4, CHANNELS // 4)
        self.conv7x7_3 = conv_bn(CHANNELS // 4, CHANNELS // 4)

    def forward(self, features: Tensor) -> Tensor:
        """(B, 64, h, w) to the same shape."""
        shared = self.conv5X5_1(features)
        wide = self.conv7x7_3(self.conv7X7_2(shared))
        return F.relu(torch.cat([self.conv3X3(features), self.conv5X5_2(shared), wide], 1))


class Head(nn.Module):
    """A 1x1 convolution with `values` outputs for each of the two anchors of a cell."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(CHANNELS, ANCHORS_PER_CELL * values, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, 64, h, w) to (B, 2 h w, values), by rows, with the anchors of a cell together."""
        rows: Tensor = self.conv1x1(features).permute(0, 2, 3, 1)
        return rows.reshape(rows.shape[0], -1, self.values)


class RetinaFace(nn.Module):
    """The detector; its input is (B, 3, H, W) float, BGR minus (104, 117, 123), sides of 32 n."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.fpn = Pyramid()
        self.ssh1, self.ssh2, self.ssh3 = Context(), Context(), Context()
        self.ClassHead = nn.ModuleList(Head(2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(10) for _ in STRIDES)

    def forward(self, images: Tensor) -> Output:
        """Return raw heads over all anchors, the smallest stride first."""
        maps = self.fpn(self.body(images))
        contexts = zip((self.ssh1, self.ssh2, self.ssh3), maps, strict=True)
        features = tuple(context(level) for context, level in contexts)
        classes, boxes, landmarks = (
            torch.cat([head(level) for head, level in zip(heads, features, strict=True)], 1)
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        return Output(classes, boxes, landmarks, features)
