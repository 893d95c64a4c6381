"""Learning rate and image side as functions of the finished share of a training."""

from __future__ import annotations

import math


def learning_rate(share: float, peak: float, warm_up: float = 0.03) -> float:
    """Return the rate: linear warm-up to ``peak``, then half a cosine to 0 (arXiv 1608.03983)."""
    if share < warm_up:
        return peak * (share + 1e-3) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (share - warm_up) / (1 - warm_up)))


def image_side(share: float, sides: dict[float, int]) -> int:
    """Return the current side of ``sides``, which maps the share at its start to each side."""
    return sides[max(start for start in sides if start <= share)]
