"""Face crops: the square frame of FER-2013 for emotions, ArcFace's template for embeddings."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.runner import Array

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

# The detector's box spans these shares of a FER-2013 frame's width and height (medians over
# training images), so the frame around a detected box is the square that makes it span them.
FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE = 0.785, 1.01
FER_SIZE = 48
# Of a face of a hundred thousand pixels.
LEAST_SCALE = 1e-3
ARCFACE_SIZE = 112
# Makes x, y a complex number.
PLANE = np.array([1, 1j])
# Where ArcFace wants the five landmarks in a 112x112 crop (insightface, face_align).
ARCFACE_TEMPLATE: F64 = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


def fer_crop(image: U8, box: Array) -> U8:
    """Cut the square that frames a face as FER-2013 does; grey, uint8 (48, 48).

    `image` is RGB (h, w, 3), `box` x1 y1 x2 y2 in its pixels. What lies outside the image is
    its border, repeated.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max((x2 - x1) / FRAME_WIDTH_SHARE, (y2 - y1) / FRAME_HEIGHT_SHARE, 1.0)
    left, top = (x1 + x2 - side) / 2, (y1 + y2 - side) / 2
    crop = _cut(image, round(left), round(top), max(1, round(side)))
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if side > FER_SIZE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (FER_SIZE, FER_SIZE), interpolation=method), np.uint8)


def too_small(boxes: Array, size: int) -> bool:
    """Whether a face (K, 4) would have to be enlarged for a crop of `size` pixels."""
    sides = (boxes[:, 2:] - boxes[:, :2]) / (FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE)
    return bool((sides.max(axis=1, initial=0) < size).any())


def _cut(image: U8, left: int, top: int, side: int) -> U8:
    """Cut a square, repeating the border where it reaches beyond the image."""
    height, width = image.shape[:2]
    inside = image[max(0, top) : max(1, top + side), max(0, left) : max(1, left + side)]
    before = max(0, -top), max(0, -left)
    after = max(0, top + side - height), max(0, left + side - width)
    if not any((*before, *after)):
        return inside
    padded = cv2.copyMakeBorder(
        inside, before[0], after[0], before[1], after[1], cv2.BORDER_REPLICATE
    )
    return np.asarray(padded, np.uint8)


def arcface_crop(image: U8, landmarks: Array) -> U8:
    """Warp a face so that its landmarks (5, 2) lie on ArcFace's template; RGB (112, 112, 3)."""
    matrix = similarity(np.asarray(landmarks, np.float64), ARCFACE_TEMPLATE)
    return warped(image, matrix, ARCFACE_SIZE)


def warped(image: U8, matrix: F64, size: int) -> U8:
    """Give the square crop of `size` pixels that the similarity `matrix` (2, 3) maps `image` to.

    A face much larger than the crop is shrunk with an area filter first: bilinear sampling alone
    would skip pixels. What lies outside the image is its border, repeated.
    """
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    # Landmarks that all lie on one point have no scale: the crop is that point's colour.
    shrink = math.floor(1 / scale) if scale > LEAST_SCALE else 1
    if shrink > 1:
        image, matrix = _shrunk(image, matrix, size, shrink)
    return np.asarray(
        cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _shrunk(image: U8, matrix: F64, size: int, factor: int) -> tuple[U8, F64]:
    """Shrink the part of the image that `matrix` maps into the crop, and adapt the matrix."""
    corners = np.array([[0, 0], [0, size], [size, 0], [size, size]])
    inverse = np.linalg.inv(matrix[:, :2])
    region = (corners - matrix[:, 2]) @ inverse.T
    left, top = np.maximum(np.floor(region.min(axis=0)).astype(int) - factor, 0)
    right, bottom = np.ceil(region.max(axis=0)).astype(int) + factor
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    if not part.size:
        return image, matrix
    width, height = max(1, part.shape[1] // factor), max(1, part.shape[0] // factor)
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    # Pixel centres lie at half-integers for the area filter and at integers for the warp.
    scale = np.array([part.shape[1] / width, part.shape[0] / height])
    linear = matrix[:, :2] * scale
    shift = matrix[:, :2] @ (np.array([left, top]) + (scale - 1) / 2) + matrix[:, 2]
    return np.asarray(small, np.uint8), np.hstack([linear, shift[:, None]])


def similarity(source: F64, target: F64) -> F64:
    """Least-squares similarity (2, 3) that maps points `source` (N, 2) onto `target` (N, 2).

    The problem of S. Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", IEEE TPAMI 13(4), 1991, in the plane, where it is a regression with one complex
    factor for scale and rotation (I. L. Dryden, K. V. Mardia, "Statistical Shape Analysis", 1998,
    full Procrustes fit of planar shapes): no decomposition is needed, and no reflection can result.
    """
    points, goals = source @ PLANE, target @ PLANE
    centre, goal = points.mean(), goals.mean()
    spread = points - centre
    factor = np.vdot(spread, goals - goal) / max(np.vdot(spread, spread).real, len(source) * 1e-12)
    shift = goal - factor * centre
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )
