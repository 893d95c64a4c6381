"""Crops of faces: a square as in FER-2013 for emotions, ArcFace's template for embeddings."""

import math

import cv2
import numpy as np

from engines.types import F64, U8, Array

# The shares of a FER-2013 image's width and height that the detector's box covers (medians over
# training images). A crop is the smallest square in which the box covers no more than these shares.
FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE = 0.785, 1.01
# The same for the diagonal of the box: if an ellipse turns, the diagonal of its box stays as long.
FRAME_DIAGONAL_SHARE = math.hypot(FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE)
FER_SIZE = 48
# The largest roll, in degrees, that a crop does not follow. The emotion network was trained on
# faces with rolls up to 30 degrees, and landmarks of small faces are off by several degrees.
IGNORED_ROLL = 15.0
# Pixels of a square with its padding, per pixel of the image: a larger one, as of a box along an
# image of 1 x 60,000 pixels, would take gigabytes.
MOST_PADDED = 4
# Minimum scale of a warp, as from a face of 100,000 pixels to a crop. A lower one comes from
# landmarks that all lie on one point, or far outside any image.
LEAST_SCALE = 1e-3
ARCFACE_SIZE = 112
# `points @ PLANE` turns x, y into the complex number x + iy.
PLANE = np.array([1, 1j])
# The positions of the five landmarks in ArcFace's 112x112 crop (insightface, face_align).
ARCFACE_TEMPLATE: F64 = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


def fer_crop(image: U8, box: Array, roll: float = 0.0) -> U8:
    """Cut out a face as in FER-2013; return a grey square, uint8 (48, 48).

    image: RGB (h, w, 3) uint8; box: (4,), x1 y1 x2 y2 in pixels of the image; roll: by how many
    degrees the face is turned clockwise. Above `IGNORED_ROLL` the square is turned with the face,
    so that the face is upright in the crop. A square of far more pixels than the image is warped in
    the same way, which takes no memory for its padding. Outside the image its border is repeated.
    """
    small = _side(box) ** 2 <= MOST_PADDED * image.shape[0] * image.shape[1]
    return (
        _upright(image, box) if abs(roll) <= IGNORED_ROLL and small else _turned(image, box, roll)
    )


def enlargement(boxes: Array, size: int) -> float:
    """Return how many times to enlarge an image, at least 1, so that each face fills `size` pixels.

    boxes: (K, 4) in pixels of the image. The side of a turned face is used for all, because it is
    never larger than that of an upright one.
    """
    sides = np.hypot(*(boxes[:, 2:] - boxes[:, :2]).T) / FRAME_DIAGONAL_SHARE
    return float(size / sides.clip(1e-6).min(initial=size))


def _upright(image: U8, box: Array) -> U8:
    x1, y1, x2, y2 = (float(value) for value in box)
    side = _side(box)
    left, top = (x1 + x2 - side) / 2, (y1 + y2 - side) / 2
    crop = _cut(image, round(left), round(top), max(1, round(side)))
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if side > FER_SIZE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (FER_SIZE, FER_SIZE), interpolation=method), np.uint8)


def _side(box: Array) -> float:
    """Return the side of the upright square, in pixels."""
    width, height = (box[2:] - box[:2]).tolist()
    return max(float(width) / FRAME_WIDTH_SHARE, float(height) / FRAME_HEIGHT_SHARE, 1.0)


def _turned(image: U8, box: Array, roll: float) -> U8:
    """Cut out the square that is turned by `roll` around the middle of the box."""
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max(math.hypot(x2 - x1, y2 - y1) / FRAME_DIAGONAL_SHARE, 1.0)
    # A warp samples points, so each pixel of the crop is the mean of 2x2 of them.
    size = 2 * FER_SIZE
    angle, scale = math.radians(roll), size / side
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    # In OpenCV the middle of the first pixel is at 0.
    middle = np.array([x1 + x2 - 1, y1 + y2 - 1]) / 2
    shift = (size - 1) / 2 - linear @ middle
    crop = warped(image, np.hstack([linear, shift[:, None]]), size)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (FER_SIZE, FER_SIZE), interpolation=cv2.INTER_AREA))


def _cut(image: U8, left: int, top: int, side: int) -> U8:
    """Cut out a square; repeat the border where it reaches beyond the image."""
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


def arcface_crops(image: U8, landmarks: Array) -> list[U8]:
    """Warp faces so that their landmarks lie on ArcFace's template.

    image: RGB (h, w, 3) uint8; landmarks: (K, 5, 2) in its pixels. Returns K crops, (112, 112, 3).
    """
    matrices = similarities(landmarks, ARCFACE_TEMPLATE)
    return [warped(image, matrix, ARCFACE_SIZE) for matrix in matrices]


def warped(image: U8, matrix: F64, size: int) -> U8:
    """Warp an image by the similarity `matrix` (2, 3) into a crop of `size` x `size` pixels.

    A face much larger than the crop is first shrunk with an area filter, because bilinear sampling
    alone would skip pixels. Outside the image its border is repeated.
    """
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    # Landmarks that all lie on one point have no scale; the crop has the colour of that point.
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


def similarities(sources: Array, target: F64) -> F64:
    """Return the least-squares similarities (K, 2, 3) that map `sources` onto `target`.

    sources: (K, N, 2); target: (N, 2). S. Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", IEEE TPAMI 13(4), 1991, states the problem. In the plane
    it is a regression with one complex factor for scale and rotation (I. L. Dryden, K. V. Mardia,
    "Statistical Shape Analysis", 1998, full Procrustes fit of planar shapes). This needs no
    decomposition, and the result is never a reflection.
    """
    points, goals = np.asarray(sources, np.float64) @ PLANE, target @ PLANE
    centres, goal = points.mean(axis=1), goals.mean()
    spreads = points - centres[:, None]
    # Python's sum adds whole columns, so the number of faces does not change the bits of a face.
    products, squares = sum((spreads.conj() * (goals - goal)).T), sum((np.abs(spreads) ** 2).T)
    factors = products / np.maximum(squares, len(target) * 1e-12)
    shifts = goal - factors * centres
    rows = [[factors.real, -factors.imag, shifts.real], [factors.imag, factors.real, shifts.imag]]
    return np.moveaxis(np.array(rows, np.float64), 2, 0)
