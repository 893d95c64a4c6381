"""Real photographs that come with packages of the test environment, and scenes made of them."""

import io
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage
from PIL import Image

from engines.types import U8

ASTRONAUT_FILE = Path(skimage.__file__).parent / "data" / "astronaut.png"
HOPPER_FILE = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
# The faces in the photographs, x1 y1 x2 y2.
ASTRONAUT_BOX = (178.0, 59.0, 273.0, 177.0)
HOPPER_BOX = (177.0, 116.0, 355.0, 330.0)


def read(path: Path | io.BytesIO) -> U8:
    """RGB, uint8 (h, w, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def encode(image: U8, kind: str = "PNG", **options: object) -> bytes:
    """An image file's bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def group(columns: int, rows: int, side: int = 256) -> tuple[U8, list[tuple[float, ...]]]:
    """The astronaut, tiled: one picture and the box of each face."""
    tile = cv2.resize(read(ASTRONAUT_FILE), (side, side), interpolation=cv2.INTER_AREA)
    box = np.array(ASTRONAUT_BOX) * side / 512
    boxes = [
        tuple(box + np.array([x, y, x, y]) * side) for y in range(rows) for x in range(columns)
    ]
    return np.tile(tile, (rows, columns, 1)).astype(np.uint8), boxes


def iou(a: tuple[float, ...] | list[float], b: tuple[float, ...] | list[float]) -> float:
    """Intersection over union of two boxes x1 y1 x2 y2."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)
