"""The probe's faces as a landmark network sees them.

The geometry is that of `analysis/landmarks.py`, which engines do not import; a test holds the two
together.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

SIDE = 64
# The middle of ArcFace's five landmarks in its crop of 112 pixels, which comes to the middle here.
CENTRE = (56.02616, 71.90078)
SCALE = 1.25 * SIDE / 112
# Turn in degrees, zoom, and shift in pixels: a detector's landmarks are never exact.
POSES = ((0, 1.0, 0, 0), (12, 1.0, 4, -3), (-15, 0.88, -5, 2), (4, 1.12, 2, 6))


def cuttings(crops: U8) -> U8:
    """Cut ArcFace's crops (N, 112, 112, 3) to (4 N, 64, 64, 3): as they should be, then askew."""
    return np.stack([_cut(crop, *pose) for pose in POSES for crop in crops])


def _cut(crop: U8, turn: float, zoom: float, right: float, down: float) -> U8:
    matrix = cv2.getRotationMatrix2D(CENTRE, turn, SCALE * zoom)
    middle = np.array([right, down]) + (SIDE - 1) / 2
    matrix[:, 2] = matrix[:, 2] - CENTRE + middle
    cut = cv2.warpAffine(crop, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
