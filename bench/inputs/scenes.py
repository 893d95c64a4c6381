"""JPEGs of real faces, in the sizes and numbers that media pipelines have."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import skimage
from PIL import Image

from bench.inputs.saving import saved
from engines.types import U8

# NASA's portrait of Eileen Collins; the square that holds her head.
PORTRAIT = Path(skimage.__file__).parent / "data" / "astronaut.png"
HEAD = (slice(0, 256), slice(96, 352))
Size = tuple[int, int, int]


def _named(*sizes: Size) -> dict[str, Size]:
    return {
        f"{width}x{height}, {faces} face{'' if faces == 1 else 's'}": (width, height, faces)
        for width, height, faces in sizes
    }


# Width, height and faces of each scene: those measured alone, and those of the mixed load.
SIZES = _named((640, 480, 1), (1920, 1080, 0), (1920, 1080, 5), (4000, 3000, 30))
FRAMES = ((640, 480), (1920, 1080), (4000, 3000))
MIXED = _named(*((*frame, faces) for faces in (0, 1, 5, 30) for frame in FRAMES))
ONE_FACE = "640x480, 1 face"


@cache
def scene(name: str) -> bytes:
    """A JPEG of one of `MIXED`: heads side by side in front of a grey wall with some noise."""
    width, height, faces = MIXED[name]
    rng = np.random.default_rng(0)
    canvas = rng.normal(128, 6, (height, width, 3)).clip(0, 255).astype(np.uint8)
    head = np.asarray(Image.open(PORTRAIT).convert("RGB"))[HEAD]
    columns = max(1, round((faces * width / height) ** 0.5))
    side = min(width // columns, height // max(1, -(-faces // columns)))
    small: U8 = np.asarray(cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    for face in range(faces):
        y, x = face // columns * side, face % columns * side
        canvas[y : y + side, x : x + side] = small
    return saved(Image.fromarray(canvas), "JPEG", quality=90)
