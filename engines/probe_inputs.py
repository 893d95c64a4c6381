"""Real faces and scenes for parity, calibration and warm-up.

The crops for the landmark network have the geometry of `analysis/landmarks.py`. This package must
not import it, so the numbers are repeated here; a test compares them.
"""

from pathlib import Path

import cv2
import numpy as np

from engines.catalog import LANDMARK_SIDE, ModelSpec
from engines.types import U8

PROBE = Path(__file__).with_name("probe")
# Centre of ArcFace's five landmarks in its crop of 112 pixels; it becomes the centre of our crop.
CENTRE = (56.02616, 71.90078)
SCALE = 1.25 * LANDMARK_SIDE / 112
# Rotation in degrees, zoom, shift right and down in pixels: as inexact as a detector's landmarks.
POSES = ((0, 1.0, 0, 0), (12, 1.0, 4, -3), (-15, 0.88, -5, 2), (4, 1.12, 2, 6))


def probe(spec: ModelSpec) -> U8:
    """Real faces, some mirrored and some dark, as the input of a network of this task.

    uint8 (N, H, W, 3), or (N, 48, 48) for the grey emotion network. Both photographs are works of
    the United States government (NASA, Navy), in the public domain.
    """
    if spec.task == "detector":
        return _scenes(*spec.input_size)
    crops = _read("faces.png").reshape(-1, 112, 112, 3)
    variants = np.concatenate([crops, crops[:, :, ::-1], crops // 2])
    match spec.task:
        case "landmarks":
            return _landmark_crops(variants)
        case "emotion":
            return _grey(variants)
        case _:
            return variants


def _scenes(height: int, width: int) -> U8:
    """The scene, shrunk to a smaller input, and repeated in a larger one.

    So its faces have sizes that the network was trained on, everywhere in the input.
    """
    scene = _read("scene.jpg")
    small = min(width, scene.shape[1]), min(height, scene.shape[0])
    scene = np.asarray(cv2.resize(scene, small, interpolation=cv2.INTER_AREA), np.uint8)
    scene = np.pad(scene, ((0, height - small[1]), (0, width - small[0]), (0, 0)), "wrap")
    return np.stack([scene, scene[:, ::-1], np.roll(scene, width // 3, axis=1), scene // 2])


def _read(name: str) -> U8:
    pixels = cv2.imread(str(PROBE / name), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise FileNotFoundError(PROBE / name)
    return np.asarray(pixels, np.uint8)


def _grey(crops: U8) -> U8:
    shrunk = [cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in shrunk]).astype(np.uint8)


def _landmark_crops(crops: U8) -> U8:
    """Warp ArcFace's crops (N, 112, 112, 3) to (4 N, 64, 64, 3): aligned, then in other poses."""
    return np.stack([_cut(crop, *pose) for pose in POSES for crop in crops])


def _cut(crop: U8, turn: float, zoom: float, right: float, down: float) -> U8:
    matrix = cv2.getRotationMatrix2D(CENTRE, turn, SCALE * zoom)
    middle = np.array([right, down]) + (LANDMARK_SIDE - 1) / 2
    matrix[:, 2] = matrix[:, 2] - CENTRE + middle
    cut = cv2.warpAffine(
        crop, matrix, (LANDMARK_SIDE, LANDMARK_SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cut, np.uint8)
