"""Two portraits, changed step by step, to show where networks fail.

They are in the public domain (Eileen Collins by NASA, Grace Hopper by the United States Navy); the
textures are part of scikit-image (CC0).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

from engines.types import U8
from training.detector.views import project, turn
from training.probe import ASTRONAUT, HOPPER

TEXTURES = ("coins", "grass", "gravel", "brick", "chelsea")
SIDE = 320  # of the portraits, in pixels
Change = Callable[[U8, float], U8]
Ladders = dict[str, tuple[Change, tuple[float, ...]]]
Points = Sequence[Sequence[float]]
NOWHERE = np.zeros((5, 2))


class Portrait(NamedTuple):
    """A square photograph, RGB (320, 320, 3), and the box and landmarks of its face in it."""

    image: U8
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64] = NOWHERE


def portraits(astronaut: Points = ASTRONAUT, hopper: Points = HOPPER) -> list[Portrait]:
    """Return both faces, in squares that their heads fill, with these landmarks."""
    folder = Path(skimage.__file__).parent / "data"
    admiral = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return [
        _square(folder / "astronaut.png", (98, 0, 256), (178, 59, 273, 177), astronaut),
        _square(admiral, (66, 80, 380), (190, 140, 325, 328), hopper),
    ]


def _square(
    path: Path, cut: tuple[int, int, int], box: tuple[int, ...], points: Points
) -> Portrait:
    """Crop a square (left, top, side); `box` and `points` are in pixels of the photograph."""
    left, top, side = cut
    part = Image.open(path).convert("RGB").crop((left, top, left + side, top + side))
    scale = SIDE / side
    x1, y1, x2, y2 = ((v - o) * scale for v, o in zip(box, (left, top) * 2, strict=True))
    landmarks = (np.array(points) - (left, top)) * scale
    return Portrait(np.asarray(part.resize((SIDE, SIDE))), (x1, y1, x2, y2), landmarks)


def dark(image: U8, share: float) -> U8:
    """Keep a share of the light, and add the noise of a camera."""
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image * share + noise, 0, 255).astype(np.uint8)


def blurred(image: U8, sigma: float) -> U8:
    """Blur; sigma is in pixels, and a head fills 320 of them."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def turned(image: U8, degrees: float) -> U8:
    """Turn around the middle, with a repeated border."""
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1)
    size = (SIDE, SIDE)
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))


def tiny(image: U8, pixels: float) -> U8:
    """Shrink the picture to so many pixels, and enlarge it again."""
    small = cv2.resize(image, (int(pixels),) * 2, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def covered(image: U8, share: float) -> U8:
    """Cover a share of the height from below in grey, like a hand, a mask or a glass."""
    result = image.copy()
    result[round(SIDE * (1 - share)) :] = 128
    return result


def squeezed(image: U8, share: float) -> U8:
    """Keep a share of the width."""
    return np.asarray(cv2.resize(image, (round(SIDE * share), SIDE), interpolation=cv2.INTER_AREA))


def slanted(image: U8, share: float) -> U8:
    """Make the left edge lower by a share of the height, as if the picture was seen from aside."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    seen = np.array([[0, share / 2], [1, 0], [1, 1], [0, 1 - share / 2]], np.float32)
    return project(image, np.asarray(cv2.getPerspectiveTransform(corners, seen), np.float64)).image


def moved(image: U8, length: float) -> U8:
    """Blur along a horizontal line of `length` pixels."""
    return np.asarray(cv2.blur(image, (int(length), 1)), np.uint8)


def packed(image: U8, share: float) -> U8:
    """Keep a share of the pixels of each side, as a JPEG of the quality 10."""
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(image, (SIDE, SIDE)), np.uint8)


def cut_out(image: U8, share: float) -> U8:
    """Cut a share of the side from each edge: nothing is left around the face."""
    edge = round(SIDE * share)
    return np.ascontiguousarray(image[edge : SIDE - edge, edge : SIDE - edge])


LADDERS: Ladders = {
    "dark": (dark, (0.25, 0.1, 0.04)),
    "blurred": (blurred, (6, 12, 20)),
    "turned": (turned, (30, 60, 180)),
    "tiny": (tiny, (32, 20, 12)),
    "covered": (covered, (0.3, 0.45, 0.6)),
}


# Views as films have them, for the detector only: a photograph is stretched, a head is turned.
SEEN: Ladders = {
    **LADDERS,
    "lying": (turned, (75, 90, 105)),
    "squeezed": (squeezed, (0.7, 0.5, 0.35)),
    "slanted": (slanted, (0.15, 0.3, 0.45)),
    "aside": (turn, (20, 40, 60)),
    "moved": (moved, (24, 48, 96)),
    "packed": (packed, (0.4, 0.2, 0.1)),
    "cut out": (cut_out, (0.1, 0.2, 0.3)),
}


def ladders(changes: Ladders = LADDERS) -> Iterator[tuple[str, list[Portrait]]]:
    """Yield a row per change: both portraits, unchanged and with growing strength."""
    for name, (change, steps) in changes.items():
        row = []
        for portrait in portraits():
            row.append(portrait)
            row += [portrait._replace(image=change(portrait.image, step)) for step in steps]
        yield name, row


def textures() -> list[Portrait]:
    """Return pictures without a human face."""
    folder = Path(skimage.__file__).parent / "data"
    pictures = [Image.open(folder / f"{name}.png").convert("RGB") for name in TEXTURES]
    return [Portrait(np.asarray(p.resize((512, 512))), (0, 0, 0, 0)) for p in pictures]
