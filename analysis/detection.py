"""The detector's geometry: letterbox, non-maximum suppression, mapping back to image pixels."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.landmarks import settled
from analysis.types import Detections, DetectorInput
from engines.types import F32, U8, Array

# The detector's outputs for one image, by name: see `select`.
Row = dict[str, Array]
# The colour that the detector subtracts, as RGB: the network sees such padding as zero.
PADDING = (123, 117, 104)
# Further enlargement adds no detail, and it makes a face that fills a small image larger than the
# network's largest anchors.
MAX_ENLARGEMENT = 2.0
# From this scale on, linear interpolation uses all pixels. It finds the same faces as the mean over
# areas, whose time is several times as long unless the scale is one over a whole number.
LEAST_LINEAR = 0.5
# A face whose longer side has at least this many pixels of the detector's input is a close-up.
CLOSE_UP = 400.0
# The network also detects parts of a close-up, and sometimes the whole image, as faces. A box is a
# duplicate of one with a higher score if more than `WITHIN` of the smaller of the two lies in the
# other, and if its area is less than `TIMES_LARGER` times that of the other.
WITHIN, TIMES_LARGER = 0.8, 3.0


class Letterbox(NamedTuple):
    """An image in the detector's input: scaled by `scale`, in the upper left corner.

    width, height: of the image, in its own pixels.
    """

    scale: float
    width: int
    height: int

    @property
    def inside(self) -> tuple[int, int]:
        """Width and height of the image in the input, in pixels."""
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    def restore(self, points: Array) -> F32:
        """Map coordinates (..., 2k) or (..., 2) of the input back to pixels of the image."""
        return np.asarray(points / self.scale, np.float32)


def fit(width: int, height: int, target: DetectorInput) -> tuple[Letterbox, tuple[int, int, int]]:
    """Fit an image of `width` x `height` pixels into the input `target` without distortion.

    Returns the letterbox, and the shape (height, width, 3) of the lowest input with room for it.
    """
    rows, columns = target.size
    box = Letterbox(min(rows / height, columns / width, MAX_ENLARGEMENT), width, height)
    return box, (least(target.heights, box.inside[1], rows), columns, 3)


def fill(image: U8, box: Letterbox, out: U8) -> None:
    """Write an image (h, w, 3) uint8 into the detector's input `out` (H, W, 3) and pad the rest."""
    width, height = box.inside
    if (width, height) == (box.width, box.height):
        out[:height, :width] = image
    else:
        method = cv2.INTER_AREA if box.scale < LEAST_LINEAR else cv2.INTER_LINEAR
        cv2.resize(image, (width, height), dst=out[:height, :width], interpolation=method)
    out[height:] = _padding(out.shape[1])
    out[:height, width:] = _padding(out.shape[1] - width)


@cache
def _padding(width: int) -> U8:
    """Return a row of padding: numpy copies whole rows quickly, and single pixels slowly."""
    return np.tile(np.array(PADDING, np.uint8), (1, width, 1))


def least(heights: Sequence[int], rows: int, full: int) -> int:
    """Return the first of `heights` with room for `rows` pixel rows, or else `full`."""
    return next((height for height in heights if height >= rows), full)


def select(
    row: Row, box: Letterbox, *, min_score: float, nms_iou: float, max_faces: int
) -> Detections:
    """Turn the detector's outputs for one image into its faces, largest first.

    row: the outputs by name, float32, one entry per anchor: `scores` (N,), `boxes` (N, 4) and
    `landmarks` (N, 5, 2) in pixels of the detector's input. The result is in pixels of the image.
    """
    likely = row["scores"] >= min_score
    scores = row["scores"][likely]
    visible = np.clip(row["boxes"][likely], 0, box.inside * 2)
    kept = nms(visible, scores, nms_iou)
    boxes = box.restore(visible[kept])
    boxes = np.clip(boxes, 0, [box.width, box.height, box.width, box.height]).astype(np.float32)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    order = [i for i in np.argsort(-areas, kind="stable") if areas[i] > 0][:max_faces]
    landmarks = box.restore(row["landmarks"][likely][kept][order])
    return Detections(boxes[order], settled(boxes[order], landmarks), scores[kept][order])


def nms(boxes: Array, scores: Array, iou: float) -> NDArray[np.intp]:
    """Suppress duplicates greedily: return the indices of the boxes to keep, best first.

    A box is dropped if its intersection over union with a kept box is above `iou`, or if both
    belong to one close-up. boxes: (N, 4) in pixels of the detector's input; scores: (N,).
    """
    order = np.argsort(-scores, kind="stable")
    same = _same_face(boxes[order], iou)
    kept, dropped = [], np.zeros(len(order), np.bool_)
    for i in range(len(order)):
        if not dropped[i]:
            kept.append(order[i])
            dropped |= same[i]
    return np.asarray(kept, np.intp)


def _same_face(boxes: Array, iou: float) -> NDArray[np.bool_]:
    """Compare boxes (N, 4), sorted by score: [i, j] is whether j is a duplicate of i."""
    sides = boxes[:, 2:] - boxes[:, :2]
    corners = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    corners -= np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    shared = np.clip(corners, 0, None).prod(axis=2)
    areas = sides.prod(axis=1)
    union = areas[:, None] + areas[None, :] - shared
    same = shared > iou * np.maximum(union, 1e-9)
    large = sides.max(axis=1, initial=0) >= CLOSE_UP
    if large.any():
        within = shared > WITHIN * np.minimum(areas[:, None], areas[None, :])
        smaller = areas[None, :] < TIMES_LARGER * areas[:, None]
        same |= (large[:, None] | large[None, :]) & within & smaller
    return np.asarray(same, np.bool_)
