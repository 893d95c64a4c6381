"""Photographs to send: real faces at the sizes and numbers that media pipelines have."""

import io
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
# NASA's portrait of Eileen Collins; the square that holds her head.
PORTRAIT = Path(skimage.__file__).parent / "data" / "astronaut.png"
HEAD = (slice(0, 256), slice(96, 352))
# Width, height, faces.
SIZES = {
    "640x480, 1 face": (640, 480, 1),
    "1920x1080, 0 faces": (1920, 1080, 0),
    "1920x1080, 5 faces": (1920, 1080, 5),
    "4000x3000, 30 faces": (4000, 3000, 30),
}


def scene(name: str) -> bytes:
    """A JPEG of one of `SIZES`: heads side by side before a grey wall with some noise."""
    width, height, faces = SIZES[name]
    rng = np.random.default_rng(0)
    canvas = rng.normal(128, 6, (height, width, 3)).clip(0, 255).astype(np.uint8)
    head = np.asarray(Image.open(PORTRAIT).convert("RGB"))[HEAD]
    columns = max(1, round((faces * width / height) ** 0.5))
    side = min(width // columns, height // max(1, -(-faces // columns)))
    small: U8 = np.asarray(cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    for face in range(faces):
        y, x = face // columns * side, face % columns * side
        canvas[y : y + side, x : x + side] = small
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
