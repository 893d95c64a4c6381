"""The detector's geometry, in numpy: letterbox, NMS, and boxes back in the image's pixels."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.types import Detections
from engines.types import F32, U8, Array

# What the detector subtracts, as RGB: padding of this colour is zero to the network.
PADDING = (123, 117, 104)
# Enlarging further shows the network nothing new and makes a face that fills a small picture
# larger than its largest anchors.
MAX_ENLARGEMENT = 2.0
# Pixels of the detector's input from which a face's longer side makes it a close-up. Of a close-up
# the network also sees parts, and at times the frame, as faces: boxes of which one lies in the
# other to this share, and the worse is not this many times as large.
CLOSE_UP, WITHIN, TIMES_LARGER = 400.0, 0.8, 3.0


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


def fit(
    width: int, height: int, size: tuple[int, int], heights: Sequence[int] = ()
) -> tuple[Letterbox, tuple[int, int, int]]:
    """Fit an image into `size` (height, width) without distortion.

    Returns its place, and the shape of the input (height, width, 3): its height is the first of
    `heights` that holds the image, those that the detector takes besides that of `size`, rising.
    """
    box = Letterbox(min(size[0] / height, size[1] / width, MAX_ENLARGEMENT), width, height)
    return box, (least(heights, box.inside[1], size[0]), size[1], 3)


def fill(image: U8, box: Letterbox, out: U8) -> None:
    """Write an image (h, w, 3) into the detector's input `out` and pad the rest."""
    width, height = box.inside
    if (width, height) == (box.width, box.height):
        out[:height, :width] = image
    else:
        method = cv2.INTER_AREA if box.scale < 1 else cv2.INTER_LINEAR
        cv2.resize(image, (width, height), dst=out[:height, :width], interpolation=method)
    out[height:] = _padding(out.shape[1])
    out[:height, width:] = _padding(out.shape[1] - width)


@cache
def _padding(width: int) -> U8:
    """A row of padding: numpy copies whole rows quickly, and single pixels slowly."""
    return np.tile(np.array(PADDING, np.uint8), (1, width, 1))


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
    same = _same_face(boxes[order], iou)
    kept, gone = [], np.zeros(len(order), np.bool_)
    for i in range(len(order)):
        if not gone[i]:
            kept.append(order[i])
            gone |= same[i]
    return np.asarray(kept, np.intp)


def _same_face(boxes: Array, iou: float) -> NDArray[np.bool_]:
    """Which boxes (N, 4) are of the same face as which better one: (N, N), better ones first."""
    sides = boxes[:, 2:] - boxes[:, :2]
    corners = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    corners -= np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    shared = np.clip(corners, 0, None).prod(axis=2)
    areas = sides.prod(axis=1)
    together = areas[:, None] + areas[None, :] - shared
    same = shared > iou * np.maximum(together, 1e-9)
    large = sides.max(axis=1, initial=0) >= CLOSE_UP
    if large.any():
        within = shared > WITHIN * np.minimum(areas[:, None], areas[None, :])
        smaller = areas[None, :] < TIMES_LARGER * areas[:, None]
        same |= (large[:, None] | large[None, :]) & within & smaller
    return np.asarray(same, np.bool_)
