"""Effects of cameras and codecs on uint8 BGR pictures, with random strengths."""

import cv2
import numpy as np

from engines.types import U8

LEVELS = np.arange(256, dtype=np.float32) / 255


def tone(image: U8, rng: np.random.Generator, strength: float = 1.0) -> U8:
    """Change gamma, gain and offset per colour: dark, washed-out and tinted pictures."""
    gamma = np.exp(rng.normal(0, 0.35 * strength)) * np.exp(rng.normal(0, 0.06 * strength, 3))
    gain = np.exp(rng.normal(-0.1, 0.2) * strength)
    offset = rng.normal(0, 0.05 * strength)
    table = np.clip(LEVELS[:, None] ** gamma * gain + offset, 0, 1)
    return np.asarray(cv2.LUT(image, np.round(table * 255).astype(np.uint8)[None]), np.uint8)


def grey(image: U8) -> U8:
    """Remove colour, and keep three channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def blur(image: U8, rng: np.random.Generator) -> U8:
    """Blur as if out of focus, or along a line."""
    if rng.random() < 0.6:
        return soft(image, rng, 0.4, 2.2)
    return motion(image, rng, 3, 10)


def soft(image: U8, rng: np.random.Generator, low: float = 1.0, high: float = 6.0) -> U8:
    """Blur as if out of focus, with a deviation of `low` to `high` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(low, high)))


def motion(image: U8, rng: np.random.Generator, low: int = 5, high: int = 26) -> U8:
    """Blur along a line of `low` to `high` - 1 pixels."""
    length = int(rng.integers(low, high))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, rng.uniform(0, 180), 1)
    line = cv2.warpAffine(kernel, turn, (length, length))
    return np.asarray(cv2.filter2D(image, -1, line / line.sum()))


def coarse(image: U8, rng: np.random.Generator, low: float = 0.35, high: float = 0.9) -> U8:
    """Shrink to `low` to `high` of each side and enlarge again, like a small video."""
    factor = rng.uniform(low, high)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def noise(image: U8, rng: np.random.Generator) -> U8:
    """Add sensor noise of up to 12 levels."""
    grain = rng.standard_normal(image.shape, np.float32) * rng.uniform(1, 12)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def dark(image: U8, rng: np.random.Generator) -> U8:
    """Keep 4 to 40 % of the light, with a tint, and add noise of up to 6 levels."""
    light = np.exp(rng.uniform(np.log(0.04), np.log(0.4))) * np.exp(rng.normal(0, 0.1, 3))
    grain = rng.standard_normal(image.shape, np.float32) * rng.uniform(1, 6)
    return np.asarray(np.clip(image * light.astype(np.float32) + grain, 0, 255), np.uint8)


def jpeg(image: U8, rng: np.random.Generator, low: int = 15, high: int = 90) -> U8:
    """Compress at quality `low` to `high`."""
    quality = int(rng.integers(low, high + 1))
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def compressed(image: U8, rng: np.random.Generator) -> U8:
    """Shrink and compress strongly, like a video over a slow connection."""
    return jpeg(coarse(image, rng, 1 / 3, 1), rng, 5, 30)


def degrade(image: U8, rng: np.random.Generator) -> U8:
    """Apply some of the effects, in the order in which a camera causes them."""
    if rng.random() < 0.6:
        image = tone(image, rng)
    if rng.random() < 0.12:
        image = grey(image)
    if rng.random() < 0.2:
        image = blur(image, rng)
    if rng.random() < 0.15:
        image = coarse(image, rng)
    if rng.random() < 0.15:
        image = noise(image, rng)
    if rng.random() < 0.4:
        image = jpeg(image, rng)
    return image
