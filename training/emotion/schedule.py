"""The learning rate and the image side that go with the share of a training that is done."""

from __future__ import annotations

import math


def learning_rate(share: float, peak: float, warm_up: float = 0.03) -> float:
    """Linear warm-up to ``peak``, then half a cosine to zero (arXiv 1608.03983)."""
    if share < warm_up:
        return peak * (share + 1e-3) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (share - warm_up) / (1 - warm_up)))


def image_side(share: float, sides: dict[float, int]) -> int:
    """Return the side of the last entry of ``sides`` (share it starts at -> side) that began."""
    return sides[max(start for start in sides if start <= share)]
