"""Geometry of boxes."""

import numpy as np

from engines.types import F32, Array


def box_iou(box: Array, boxes: Array) -> F32:
    """Intersection over union of one box (4,) with many (N, 4), all x1 y1 x2 y2."""
    corner = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    inside = np.prod(np.clip(corner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(inside / np.maximum(areas - inside, 1e-9), np.float32)
