"""How far a training has come, its learning rate, and the averaged weights."""

import math
import time
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Clock:
    """Ends after `steps`, or after `minutes` if that comes first; `spent` counts earlier runs."""

    steps: int
    minutes: float = math.inf
    spent: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.spent + time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Fraction done, 0 to 1."""
        return min(1.0, max(step / self.steps, self.elapsed() / (60 * self.minutes)))


def learning_rate(peak: float, step: int, progress: float, warmup: int) -> float:
    """Linear warm-up, then a cosine to a thousandth of `peak` (arXiv 1608.03983)."""
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * min(1.0, (step + 1) / warmup) * max(cosine, 1e-3)


def average(into: nn.Module, source: nn.Module, step: int, decay: float) -> None:
    """Exponential moving average of weights and batch statistics, quicker while `step` is small."""
    rate = 1 - min(decay, (1 + step) / (10 + step))
    targets, values = into.state_dict().values(), source.state_dict().values()
    with torch.no_grad():
        for target, value in zip(targets, values, strict=True):
            if target.is_floating_point():
                target.lerp_(value, rate)
