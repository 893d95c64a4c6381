"""Geometry of boxes, all x1 y1 x2 y2."""

import numpy as np

from engines.types import F32, Array


def box_iou(box: Array, boxes: Array) -> F32:
    """Return the intersection over union of one box (4,) with many (N, 4): (N,), 0 to 1."""
    return np.asarray(overlaps(box[None], boxes)[0], np.float32)


def overlaps(first: Array, second: Array) -> F32:
    """Return the intersection over union of (N, 4) and (M, 4) as (N, M), 0 to 1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
