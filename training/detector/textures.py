"""Patterns that the photographs lack: clouds, grain, discs, bars, print and reliefs.

Without them, a small detector finds faces in coins and gravel.
"""

import cv2
import numpy as np

from engines.types import U8

PRINT = list("abcdeghkmnoprstuvwxyABEGHKMORSTW0123456789&@?")


def clouds(side: int, rng: np.random.Generator) -> U8:
    """Return tinted noise of four octaves, (side, side, 3)."""
    total = np.zeros((side, side), np.float32)
    roughness = rng.uniform(0.2, 1.2)
    for octave, cells in enumerate((3, 8, 20, 50)):
        grain = rng.standard_normal((cells, cells)).astype(np.float32)
        total += roughness**octave * cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)
    level = rng.uniform(40, 200) + rng.normal(0, rng.choice([2, 10, 40]), 3)
    contrast = rng.uniform(10, 70) * rng.uniform(0.8, 1, 3)
    image = level + contrast * (total / total.std())[..., None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def relief(image: U8, rng: np.random.Generator) -> U8:
    """Light the picture from one side, as if it were the surface of a coin."""
    kernel = np.zeros((3, 3), np.float32)
    kernel[1, 0], kernel[1, 2] = -1, 1
    kernel = kernel if rng.random() < 0.5 else kernel.T
    slope = cv2.filter2D(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.CV_32F, kernel)
    lit = rng.uniform(70, 170) + rng.choice([-1, 1]) * rng.uniform(0.6, 2.0) * slope
    return np.repeat(np.clip(lit, 0, 255).astype(np.uint8)[..., None], 3, 2)


def strew(image: U8, rng: np.random.Generator) -> None:
    """Draw discs, bars or letters of another pattern into `image`, in place."""
    side = len(image)
    fill, size = clouds(side, rng), rng.uniform(0.03, 0.25) * side
    where, kind = np.zeros((side, side), np.uint8), rng.integers(3)
    for _ in range(rng.integers(1, 20)):
        x, y = (int(value) for value in rng.integers(0, side, 2))
        radius = max(2, int(size * rng.uniform(0.7, 1.3)))
        if kind == 0:
            axes = (radius, max(2, int(radius * rng.uniform(0.7, 1))))
            cv2.ellipse(where, (x, y), axes, rng.uniform(0, 180), 0, 360, 255, -1)
        elif kind == 1:
            corners = cv2.boxPoints(((x, y), (radius, 3 * radius), rng.uniform(0, 180)))
            cv2.fillPoly(where, [corners.astype(np.int32)], 255)
        else:
            text = "".join(rng.choice(PRINT, 6))
            cv2.putText(where, text, (x - side // 3, y), 0, radius / 12, 255, 1 + radius // 8)
    image[where > 0] = fill[where > 0]


def texture(side: int, rng: np.random.Generator) -> U8:
    """Return a random pattern, (side, side, 3) uint8."""
    image = clouds(side, rng)
    if rng.random() < 0.7:
        strew(image, rng)
    return relief(image, rng) if rng.random() < 0.25 else image
