"""Small files like `fer2013.csv`."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from analysis.evaluation.fer2013 import LABELS, SIDE, Split
from engines.types import U8
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_BOX, HOPPER_FILE, read

PARTS = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}
# Width and height of a face in a picture of FER-2013, as shares of the picture.
FACE = 0.785, 1.01


def write_fer2013(file: Path, splits: Mapping[str, Split]) -> None:
    """Write splits by name in the form of the challenge."""
    with file.open("w") as lines:
        lines.write("emotion,pixels,Usage\n")
        for name, split in splits.items():
            for face, label in zip(split.faces, split.labels, strict=True):
                pixels = " ".join(map(str, face.ravel()))
                lines.write(f"{label},{pixels},{PARTS[name]}\n")


def noise() -> dict[str, Split]:
    """Two faces of noise per label and part."""
    numbers = np.random.default_rng(0)
    labels = np.arange(2 * len(LABELS)) % len(LABELS)
    shape = len(labels), SIDE, SIDE
    return {name: Split(numbers.integers(0, 256, shape, np.uint8), labels) for name in PARTS}


def portraits(count: int) -> dict[str, Split]:
    """Views of real faces for three labels, per part: happy, neutral, and neutral called sad."""
    happy = _views(ASTRONAUT_FILE, ASTRONAUT_BOX, count)
    neutral = _views(HOPPER_FILE, HOPPER_BOX, 2 * count)
    names = np.repeat(["happy", "neutral", "sad"], count)
    faces = np.concatenate([happy, neutral])
    return dict.fromkeys(PARTS, Split(faces, np.array([LABELS.index(name) for name in names])))


def _views(file: Path, box: tuple[float, ...], count: int) -> U8:
    """Return pictures as in FER-2013 of a face, each cut and lit differently."""
    image = cv2.cvtColor(read(file), cv2.COLOR_RGB2GRAY)
    left, top, right, bottom = box
    side = round(max((right - left) / FACE[0], (bottom - top) / FACE[1]))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    views = np.empty((count, SIDE, SIDE), np.uint8)
    for number in range(count):
        down, right_by = divmod(number, 5)
        part = image[y + down :, x + right_by :][:side, :side]
        small = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        views[number] = small * (0.7 + 0.01 * (number % 25))
    return views
