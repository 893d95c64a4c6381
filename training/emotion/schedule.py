"""How far a training has come, and the learning rate and image side that go with it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Share of a training that is done, 0 to 1: the larger of its steps' and its minutes' share.

    With a time limit the schedule ends by the clock, so that a slow or shared
    machine still anneals to the end instead of being cut.
    """

    steps: int
    minutes: float = math.inf
    step: int = 0
    before: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds spent, those before a resume counted in."""
        return self.before + time.monotonic() - self.started

    @property
    def share(self) -> float:
        """Return the share that is done."""
        return min(1.0, max(self.step / self.steps, self.seconds / (60 * self.minutes)))


def learning_rate(share: float, peak: float, warm_up: float = 0.03) -> float:
    """Linear warm-up to ``peak``, then half a cosine to zero (arXiv 1608.03983)."""
    if share < warm_up:
        return peak * (share + 1e-3) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (share - warm_up) / (1 - warm_up)))


def image_side(share: float, sides: dict[float, int]) -> int:
    """Return the side of the last entry of ``sides`` (share it starts at -> side) that began."""
    return sides[max(start for start in sides if start <= share)]
