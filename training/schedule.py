"""How far a training has come, and its learning rate."""

import math
import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Ends after `steps`, or after `minutes` if that comes first; `spent` counts earlier runs.

    With a time limit the schedule ends by the clock, so that a slow or shared machine still anneals
    to the end instead of being cut. Times are seconds but for `minutes`.
    """

    steps: int
    minutes: float = math.inf
    spent: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.spent + time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Share done, 0 to 1: the larger of the steps' and the minutes' share."""
        return min(1.0, max(step / self.steps, self.elapsed() / (60 * self.minutes)))


def learning_rate(peak: float, step: int, progress: float, warmup: int, least: float) -> float:
    """Linear warm-up, then a cosine to the share `least` of `peak` (arXiv 1608.03983)."""
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * min(1.0, (step + 1) / warmup) * max(cosine, least)
