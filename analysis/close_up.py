"""Close-ups: faces larger than the detector's anchors, found in a copy at a third of the size.

The detector misses a face of more than about 550 pixels in its input, or finds pieces of it. In a
copy at a third of the size, the face has a size that the network was trained on. docs/adr/0008 has
the figures.
"""

import math
from typing import Literal

import cv2
import numpy as np

from analysis.detection import CLOSE_UP, PADDING, Letterbox, Row, least
from analysis.types import DetectorInput
from engines.types import U8, Array

# When to run a second pass: if the first one found a sign of a close-up, always, or never.
CloseUps = Literal["auto", "on", "off"]
SHRINK = 3
# Rows of padding above and below the small copy. Without them the detector more often mistakes its
# edge for a face.
MARGIN = 32
# With `auto`, the minimum score of a large box that triggers the second pass. A face needs a higher
# score.
SUSPICION = 0.2


def wanted(row: Row, close_ups: CloseUps) -> bool:
    """Return whether the image with the outputs `row` needs a second pass."""
    if close_ups != "auto":
        return close_ups == "on"
    return bool((row["scores"][_large(row["boxes"])] >= SUSPICION).any())


def second_look(canvas: U8, box: Letterbox, target: DetectorInput) -> U8:
    """Copy the image in the detector's input `canvas` (H, W, 3), at a third of its size.

    Returns an input (h, w, 3) uint8 for `target`, with the copy in its middle. Its height h is the
    first that leaves a margin, or else the full one.
    """
    width, height = box.inside
    small = _small(box, target)
    full, across = target.size
    rows = least(target.heights, small[1] + 2 * MARGIN, full)
    left, top = _corner((rows, across), small)
    result = np.full((rows, across, 3), PADDING, np.uint8)
    result[top : top + small[1], left : left + small[0]] = cv2.resize(
        canvas[:height, :width], small, interpolation=cv2.INTER_AREA
    )
    return result


def merged(
    row: Row, again: Row, shape: tuple[int, ...], box: Letterbox, target: DetectorInput
) -> Row:
    """Join the candidates of the first pass and the close-ups of the second.

    `again` has the outputs of the second pass, and `shape` (height, width, 3) is the shape of its
    input, one of `target`. The result is in pixels of the first pass's input.
    """
    width, height = box.inside
    small = _small(box, target)
    corner = np.array(_corner(shape, small), np.float32)
    back = np.array([width / small[0], height / small[1]], np.float32)
    boxes = (again["boxes"] - np.tile(corner, 2)) * np.tile(back, 2)
    landmarks = (again["landmarks"] - corner) * back
    large = _large(boxes)
    found = {"scores": again["scores"], "boxes": boxes, "landmarks": landmarks}
    return {name: np.concatenate([row[name], found[name][large]]) for name in found}


def _large(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= CLOSE_UP)


def _small(box: Letterbox, target: DetectorInput) -> tuple[int, int]:
    """Return width and height of the copy, in pixels."""
    width, height = box.inside
    # A catalog may have a first input of less than a third of another one.
    factor = max(SHRINK, math.ceil(width / target.size[1]), math.ceil(height / target.size[0]))
    return max(1, width // factor), max(1, height // factor)


def _corner(shape: tuple[int, ...], small: tuple[int, int]) -> tuple[int, int]:
    return (shape[1] - small[0]) // 2, (shape[0] - small[1]) // 2
