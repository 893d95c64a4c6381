"""Averaged weights, the result of a run."""

import torch
from torch import nn


def average(into: nn.Module, source: nn.Module, step: int, decay: float) -> None:
    """Update a moving average of weights and batch statistics, faster while `step` is small."""
    rate = 1 - min(decay, (1 + step) / (10 + step))
    targets, values = into.state_dict().values(), source.state_dict().values()
    with torch.no_grad():
        for target, value in zip(targets, values, strict=True):
            if target.is_floating_point():
                target.lerp_(value, rate)
