"""Changes of a grey face by cameras, light and codecs.

Every function takes and returns uint8 (S, S), and draws from its generator.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from engines.types import U8

Rng = np.random.Generator


def degrade(image: U8, rng: Rng) -> U8:
    """Blur, shrink, compress or grain the image: one of them, with shrinking twice as likely."""
    return _DEGRADATIONS[rng.integers(len(_DEGRADATIONS))](image, rng)


def change_tone(image: U8, rng: Rng) -> U8:
    """Change gamma (0.5-2), brightness (+-40) and contrast (0.6-1.4); sometimes darken one side."""
    values = np.arange(256) / 255.0
    curve = values ** np.exp(rng.uniform(-0.7, 0.7))
    curve = (curve - 0.5) * rng.uniform(0.6, 1.4) + 0.5 + rng.uniform(-0.16, 0.16)
    toned = as_image(np.clip(curve * 255, 0, 255))[image]
    return side_light(toned, rng) if rng.random() < 0.3 else toned


def side_light(image: U8, rng: Rng) -> U8:
    """Darken one side by up to 70 %, in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, image.shape[0], dtype=np.float32)
    ramp = axis[None, :] * np.cos(angle) + axis[:, None] * np.sin(angle)
    light = 1 - rng.uniform(0, 0.7) * np.clip(ramp + 0.5, 0, 1)
    return as_image(np.clip(image * light, 0, 255))


def blur(image: U8, rng: Rng) -> U8:
    """Blur by 0.4 to 1.5 pixels, as if out of focus."""
    return as_image(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5)))


def motion_blur(image: U8, rng: Rng) -> U8:
    """Average along a line of 3 to 7 pixels."""
    length = int(rng.integers(3, 8))
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1 / length
    centre = ((length - 1) / 2, (length - 1) / 2)
    turn = cv2.getRotationMatrix2D(centre, rng.uniform(0, 180), 1)
    kernel = np.asarray(cv2.warpAffine(line, turn, (length, length)))
    return as_image(cv2.filter2D(image, -1, kernel / kernel.sum()))


def shrink_and_back(image: U8, rng: Rng) -> U8:
    """Reduce to between 12 pixels and two thirds of the side with an area filter, enlarge back."""
    side = image.shape[0]
    small = int(rng.integers(12, max(13, side * 2 // 3)))
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    back = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    return as_image(cv2.resize(reduced, (side, side), interpolation=back))


def compress(image: U8, rng: Rng) -> U8:
    """Encode as JPEG of quality 10 to 60, and decode."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(10, 61))]
    _, encoded = cv2.imencode(".jpg", image, quality)
    return as_image(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))


def grain(image: U8, rng: Rng) -> U8:
    """Add normal noise of 2 to 14 grey levels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(2, 14)
    return as_image(np.clip(image + noise, 0, 255))


def erase(image: U8, rng: Rng) -> U8:
    """Cover a random rectangle of 4 to 20 % with one grey or with noise.

    Random erasing, Zhong et al., arXiv 1708.04896: hands, hair and microphones.
    """
    side = image.shape[0]
    area, ratio = rng.uniform(0.04, 0.2) * side * side, np.exp(rng.uniform(-0.9, 0.9))
    height = int(min(side - 1, max(1, np.sqrt(area * ratio))))
    width = int(min(side - 1, max(1, np.sqrt(area / ratio))))
    top, left = rng.integers(side - height), rng.integers(side - width)
    fill = rng.integers(0, 256, (height, width)) if rng.random() < 0.5 else rng.integers(256)
    erased = image.copy()
    erased[top : top + height, left : left + width] = fill
    return erased


def as_image(array: object) -> U8:
    """Return a result of OpenCV as uint8 pixels, also for the type checker."""
    return np.asarray(array, dtype=np.uint8)


_DEGRADATIONS: tuple[Callable[[U8, Rng], U8], ...] = (
    blur,
    motion_blur,
    shrink_and_back,
    shrink_and_back,
    compress,
    grain,
)
