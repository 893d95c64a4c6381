"""Distances between maps and embeddings of student and teacher."""

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor


def spread(maps: Tensor) -> Tensor:
    """Return the variance of every channel of (N, C, h, w), as (C, 1, 1)."""
    return maps.var((0, 2, 3)).clamp_min(1e-12)[:, None, None]


def distance(maps: Tensor, wanted: Tensor, variance: Tensor) -> Tensor:
    """Return the mean squared difference of maps (N, C, h, w), in variances of each channel."""
    return ((maps - wanted).square() / variance).mean()


def cosine(embeddings: Tensor, wanted: Tensor) -> Tensor:
    """Return the cosine of every row of (N, D) to its counterpart, (N,)."""
    return F.cosine_similarity(embeddings.flatten(1), wanted.flatten(1))


def losses(maps: list[Tensor], wanted: list[Tensor], variances: list[Tensor]) -> list[Tensor]:
    """Return the `distance` after every block."""
    return [distance(*triple) for triple in zip(maps, wanted, variances, strict=True)]


def total(hints: list[Tensor], alike: Tensor, weight: float) -> Tensor:
    """Return 1 - mean cosine + weighted mean of the hints (FitNets, arXiv 1412.6550)."""
    return 1 - alike.mean() + weight * torch.stack(hints).mean()
