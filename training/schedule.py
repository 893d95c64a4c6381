"""Progress and learning rate of a training."""

import math
import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Ends after `steps`, or after `minutes` if that comes first; `spent` is time before a resume.

    With a time limit the schedule follows the clock, so that a slow or shared machine reaches the
    end of the schedule, too. Times other than `minutes` are seconds.
    """

    steps: int
    minutes: float = math.inf
    spent: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Return the seconds of training, including those before a resume."""
        return self.spent + time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Return the finished share, 0 to 1: by steps or by minutes, the larger of both."""
        return min(1.0, max(step / self.steps, self.elapsed() / (60 * self.minutes)))


def learning_rate(peak: float, step: int, progress: float, warmup: int, least: float) -> float:
    """Return the rate: linear warm-up, then a cosine to `least` of `peak` (arXiv 1608.03983)."""
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * min(1.0, (step + 1) / warmup) * max(cosine, least)
