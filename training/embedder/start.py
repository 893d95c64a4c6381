"""Where the student starts: random features of whitened inputs, read out by least squares."""

# Torch is not installed where the service is checked, and its decorators are unknown there.
# mypy: allow-untyped-decorators

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from training.embedder.network import Block, Layer, MobileFaceNet

FLOOR = 3e-3  # share of the largest eigenvalue: weaker directions are not amplified further
RIDGE = 1e-4  # share of the mean square of a feature


@torch.no_grad()
def start(student: MobileFaceNet, images: Tensor, targets: list[Tensor]) -> None:
    """Start every block from the maps (N, C, h, w) of the teacher before and after it."""
    for block, given, wanted in zip(student.blocks, [images, *targets[:-1]], targets, strict=True):
        start_block(block, given, wanted)


def start_block(block: Block, given: Tensor, wanted: Tensor) -> None:
    """Give the block random inner layers, and the best last layer for these."""
    first, *between, last = block
    whiten(first, given)
    maps = first(given)
    for layer in between:
        maps = scaled(layer, maps)
    if last.slope is None:
        read_out(last, maps, wanted - given if block.residual else wanted)
    else:
        factor = wanted.std((0, 2, 3)) / scaled(last, maps).std((0, 2, 3))
        last.weight.mul_(factor[:, None, None, None])


def whiten(layer: Layer, given: Tensor) -> None:
    """Set random directions of the whitened input, so that strong directions do not dominate."""
    patches = F.unfold(given, layer.weight.shape[-1], padding=layer.padding, stride=layer.stride)
    values = patches.permute(1, 0, 2).flatten(1)
    mean = values.mean(1)
    centred = values - mean[:, None]
    strengths, axes = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    strengths = strengths.clamp_min(FLOOR * strengths.max())
    directions = F.normalize(torch.randn(len(layer.bias), len(mean)), dim=1).to(mean)
    kernel = directions @ (axes * strengths.rsqrt()) @ axes.T
    layer.weight.copy_(kernel.reshape(layer.weight.shape))
    layer.bias.copy_(-(kernel @ mean))


def scaled(layer: Layer, given: Tensor) -> Tensor:
    """Scale a random layer so that its channels have deviation 1, and return its maps."""
    layer.weight.div_(layer(given).std((0, 2, 3))[:, None, None, None])
    maps: Tensor = layer(given)
    return maps


def read_out(layer: Layer, given: Tensor, wanted: Tensor) -> None:
    """Fit a 1x1 convolution from maps (N, C, h, w) to (N, D, h, w) by ridge regression."""
    inputs, outputs = (maps.permute(1, 0, 2, 3).flatten(1) for maps in (given, wanted))
    inputs = torch.cat([inputs, torch.ones_like(inputs[:1])])
    products = inputs @ inputs.T
    products += (
        RIDGE * products.diagonal().mean() * torch.eye(len(products), device=products.device)
    )
    solution = torch.linalg.solve(products, inputs @ outputs.T).T
    layer.weight.copy_(solution[:, :-1, None, None])
    layer.bias.copy_(solution[:, -1])
