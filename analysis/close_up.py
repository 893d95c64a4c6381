"""Close-ups: faces larger than the detector's anchors, found by a second look at a third the size.

A face of more than about 550 pixels in the detector's input is missed, or found in pieces. Seen
at a third it is of a size the network knows. docs/adr/0008 has the figures.
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from analysis.detection import CLOSE_UP, PADDING, Letterbox, least
from engines.types import U8, Array

Row = dict[str, Array]
CloseUps = Literal["auto", "on", "off"]
SHRINK = 3
# Rows above and below the small copy: without them the frame passes for a face more often.
MARGIN = 32
# A large anchor that is at least so sure, though it need not be sure enough for a face.
SUSPICION = 0.1


def wanted(row: Row, close_ups: CloseUps) -> bool:
    """Whether to look again: where `auto`, if some large anchor half sees a face."""
    if close_ups != "auto":
        return close_ups == "on"
    return bool((row["scores"][_large(row["boxes"])] >= SUSPICION).any())


def second_look(canvas: U8, box: Letterbox, heights: Sequence[int] = ()) -> U8:
    """The image in the detector's input `canvas` at a third, in the middle of a new input.

    Its height is the first of `heights` that leaves a margin, else that of `canvas`.
    """
    width, height = box.inside
    small = max(1, width // SHRINK), max(1, height // SHRINK)
    full, across = canvas.shape[:2]
    rows = least(heights, small[1] + 2 * MARGIN, full)
    left, top = _corner((rows, across), small)
    result = np.full((rows, across, 3), PADDING, np.uint8)
    result[top : top + small[1], left : left + small[0]] = cv2.resize(
        canvas[:height, :width], small, interpolation=cv2.INTER_AREA
    )
    return result


def merged(row: Row, again: Row, shape: tuple[int, ...], box: Letterbox) -> Row:
    """The first look's candidates and the second's close-ups, all in pixels of the first's input.

    `shape` is that of the second look's input, (height, width, 3).
    """
    width, height = box.inside
    small = max(1, width // SHRINK), max(1, height // SHRINK)
    corner = np.array(_corner(shape, small), np.float32)
    back = np.array([width / small[0], height / small[1]], np.float32)
    boxes = (again["boxes"] - np.tile(corner, 2)) * np.tile(back, 2)
    landmarks = (again["landmarks"] - corner) * back
    large = _large(boxes)
    found = {"scores": again["scores"], "boxes": boxes, "landmarks": landmarks}
    return {name: np.concatenate([row[name], found[name][large]]) for name in found}


def _large(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= CLOSE_UP)


def _corner(shape: tuple[int, ...], small: tuple[int, int]) -> tuple[int, int]:
    return (shape[1] - small[0]) // 2, (shape[0] - small[1]) // 2
