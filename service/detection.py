"""The detector's geometry, in numpy: letterbox, NMS, and boxes back in the image's pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.runner import Array
from engines.verify import box_iou

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
# What the detector subtracts, as RGB: padding of this colour is zero to the network.
PADDING = (123, 117, 104)
# Enlarging further shows the network nothing new and makes a face that fills a small picture
# larger than its largest anchors.
MAX_ENLARGEMENT = 2.0
# Pixels of the detector's input from which a face's longer side makes it a close-up. Of a close-up
# the network also sees parts, and at times the frame, as faces: boxes of which one lies in the
# other to this share, and the worse is not this many times as large.
CLOSE_UP, WITHIN, TIMES_LARGER = 400.0, 0.8, 3.0


class Detections(NamedTuple):
    """Faces of one image, largest first: boxes (K, 4), landmarks (K, 5, 2), scores (K,).

    Pixels of the image; float32. Landmarks: left eye, right eye, nose, mouth corners, as seen.
    """

    boxes: F32
    landmarks: F32
    scores: F32

    def scaled(self, x: float, y: float) -> "Detections":
        """The same faces in an image `x` times as wide and `y` times as high."""
        factor = np.array([x, y], np.float32)
        return Detections(self.boxes * np.tile(factor, 2), self.landmarks * factor, self.scores)


class Letterbox(NamedTuple):
    """How an image lies in the detector's input: scaled by `scale`, in the upper left corner."""

    scale: float
    width: int
    height: int

    @property
    def inside(self) -> tuple[int, int]:
        """Width and height that the image has in the input."""
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    def restore(self, points: Array) -> F32:
        """Map coordinates (..., 2k) or (..., 2) of the input back to pixels of the image."""
        return np.asarray(points / self.scale, np.float32)


def letterbox(
    image: U8, size: tuple[int, int], heights: Sequence[int] = ()
) -> tuple[U8, Letterbox]:
    """Fit an image (h, w, 3) into `size` (height, width) without distortion; pad the rest.

    What is padded below ends at the first of `heights` that holds the image: they are those that
    the detector takes besides that of `size`, rising.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width, MAX_ENLARGEMENT)
    box = Letterbox(scale, width, height)
    inside = box.inside
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = image if inside == (width, height) else cv2.resize(image, inside, interpolation=method)
    full = least(heights, inside[1], size[0])
    below, beside = full - inside[1], size[1] - inside[0]
    canvas = cv2.copyMakeBorder(fitted, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=PADDING)
    return np.asarray(canvas, np.uint8), box


def least(heights: Sequence[int], rows: int, full: int) -> int:
    """The first of `heights` that holds `rows`, or `full`."""
    return next((height for height in heights if height >= rows), full)


def select(
    row: dict[str, Array], box: Letterbox, *, min_score: float, nms_iou: float, max_faces: int
) -> Detections:
    """Turn the detector's row for one image (scores, boxes, landmarks by anchor) into faces."""
    likely = row["scores"] >= min_score
    scores = row["scores"][likely]
    visible = np.clip(row["boxes"][likely], 0, box.inside * 2)
    kept = nms(visible, scores, nms_iou)
    boxes = box.restore(visible[kept])
    boxes = np.clip(boxes, 0, [box.width, box.height, box.width, box.height]).astype(np.float32)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    order = [i for i in np.argsort(-areas, kind="stable") if areas[i] > 0][:max_faces]
    return Detections(
        boxes[order], box.restore(row["landmarks"][likely][kept][order]), scores[kept][order]
    )


def nms(boxes: Array, scores: Array, iou: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of boxes (N, 4) that no better one overlaps.

    A box goes when its intersection over union with a kept one is above `iou`, or when both are of
    one close-up; boxes are in pixels of the detector's input.
    """
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        others = boxes[order]
        same = (box_iou(boxes[best], others) > iou) | _one_close_up(boxes[best], others)
        order = order[~same]
    return np.asarray(kept, np.intp)


def _one_close_up(best: Array, others: Array) -> NDArray[np.bool_]:
    """Which of `others` (N, 4) are the close-up that `best` is, or a part of it."""
    sides = np.maximum(
        (others[:, 2:] - others[:, :2]).max(axis=1, initial=0), max(best[2:] - best[:2])
    )
    if not (sides >= CLOSE_UP).any():
        return np.zeros(len(others), np.bool_)
    corner = np.minimum(best[2:], others[:, 2:]) - np.maximum(best[:2], others[:, :2])
    shared = np.prod(np.clip(corner, 0, None), axis=1)
    areas, area = np.prod(others[:, 2:] - others[:, :2], axis=1), np.prod(best[2:] - best[:2])
    within = shared > WITHIN * np.minimum(areas, area)
    return np.asarray((sides >= CLOSE_UP) & within & (areas < TIMES_LARGER * area), np.bool_)
