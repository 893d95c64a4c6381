"""Faces in pixels from raw heads: anchors, decoding (arXiv 1512.02325) and suppression."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from analysis.landmarks import settled
from engines.types import F32, U8
from training.detector.loader import normalise
from training.detector.network import STRIDES, RetinaFace

SIDES = ((16, 32), (64, 128), (256, 512))  # of the anchors of each stride, pixels
VARIANCES = (0.1, 0.2)  # of centres and of logarithmic sizes
OVERLAP = 0.4  # IoU above which the weaker of two boxes is removed


@dataclass(frozen=True)
class Detections:
    """`boxes` (N, 4) x1 y1 x2 y2, `scores` (N,), `landmarks` (N, 5, 2); pixels, best first."""

    boxes: F32
    scores: F32
    landmarks: F32


@cache
def anchors(height: int, width: int) -> F32:
    """Return all anchors of an input in the order of the heads, (A, 3): centre x, y, side."""
    levels = []
    for stride, sides in zip(STRIDES, SIDES, strict=True):
        rows, columns = np.mgrid[: height // stride, : width // stride] * stride + stride / 2
        level = [np.stack([columns, rows, np.full_like(rows, side)], -1) for side in sides]
        levels.append(np.stack(level, 2).reshape(-1, 3))
    return np.concatenate(levels).astype(np.float32)


def decode(heads: F32, prior: F32) -> tuple[F32, F32]:
    """Return boxes (N, 4) and landmarks (N, 5, 2) from regressions (N, 14) at anchors (N, 3)."""
    centre, side = prior[:, None, :2], prior[:, None, 2:]
    points = centre + heads[:, [0, 1, *range(4, 14)]].reshape(-1, 6, 2) * VARIANCES[0] * side
    half = np.exp(heads[:, 2:4] * VARIANCES[1]) * side[:, 0] / 2
    boxes = np.concatenate([points[:, 0] - half, points[:, 0] + half], 1)
    return boxes.astype(np.float32), points[:, 1:].astype(np.float32)


def suppress(boxes: F32, scores: F32) -> NDArray[np.intp]:
    """Return the indices that remain after greedy non-maximum suppression, best first."""
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, OVERLAP)
    return np.asarray(kept, np.intp).reshape(-1)


def detect(network: RetinaFace, images: U8, threshold: float) -> list[Detections]:
    """Detect faces with a score of `threshold` or more in (B, H, W, 3) uint8 BGR, sides of 32 n."""
    device = next(network.parameters()).device
    batch = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        output = network(normalise(batch, device))
    heads = torch.cat([output.boxes, output.landmarks], -1).cpu().numpy()
    scores = output.classes.softmax(-1)[..., 1].cpu().numpy()
    prior = anchors(*images.shape[1:3])
    faces = []
    for regression, score in zip(heads, scores, strict=True):
        likely = score >= threshold
        boxes, points = decode(regression[likely], prior[likely])
        kept = suppress(boxes, score[likely])
        points = settled(boxes[kept], points[kept])
        faces.append(Detections(boxes[kept], score[likely][kept], points))
    return faces
