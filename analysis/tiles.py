"""Overlapping tiles of a large image: each fills an input of the detector."""

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from analysis.detection import Letterbox, Row, fit
from analysis.types import DetectorInput
from engines.types import Array

# Neighbours share this part of a tile's side: a face of this size lies within one of them.
OVERLAP = 0.25
# The whole image yields the faces of at least this part of the overlap; the tiles yield the others.
SHARED = 0.5
# A tile also keeps a face whose middle is outside its core by at most this part of the face's side.
# Two tiles place a face a little differently, so each could assign it to the other. If both keep
# it, non-maximum suppression removes one.
SLACK = 0.05
# At most so many candidates go to non-maximum suppression: those with the best scores.
MOST = 2000
Span = tuple[int, int, float, float]  # start and end of a tile; start and end of its core


class Tile(NamedTuple):
    """A part of an image, in pixels of that image.

    left, top, right, bottom: its edges; core: x1, y1, x2, y2 of the part where the middles of its
    own faces are, infinite where there is no neighbour; box, shape: its place in the input.
    """

    left: int
    top: int
    right: int
    bottom: int
    core: tuple[float, float, float, float]
    box: Letterbox
    shape: tuple[int, int, int]


def count(width: int, height: int, scale: float, target: DetectorInput) -> int:
    """Return the number of tiles at `scale` pixels of the input per pixel of the image."""
    return _along(width, target.size[1] / scale) * _along(height, target.size[0] / scale)


def tiles(
    width: int, height: int, scale: float, target: DetectorInput, pixels: tuple[int, int]
) -> list[Tile]:
    """Divide an image into tiles of the detector's input `target`; see `count`.

    pixels: width and height of the decoded image, perhaps smaller. The tiles are in its pixels.
    """
    columns = _spans(width, target.size[1] / scale, pixels[0])
    rows = _spans(height, target.size[0] / scale, pixels[1])
    return [_tile(column, row, target) for row, column in product(rows, columns)]


def largest(tile: Tile) -> float:
    """Return the longer side of the largest face that lies within one tile, in pixels."""
    x1, y1, x2, y2 = tile.core
    sides = (tile.right - tile.left, x1, x2), (tile.bottom - tile.top, y1, y2)
    # With one column or row of tiles, the image is not divided in that direction.
    divided = [side for side, *core in sides if np.isfinite(core).any()]
    return OVERLAP * min(divided, default=math.inf)


def joined(row: Row, box: Letterbox, found: Sequence[tuple[Tile, Row]]) -> Row:
    """Join the candidates of the whole image, placed by `box`, and those of its tiles.

    The result is in pixels of the whole image's input.
    """
    limit = largest(found[0][0])
    large = _sides(box.restore(row["boxes"])) >= SHARED * limit
    parts = [{name: values[large] for name, values in row.items()}]
    parts += [_belonging(tile, each, box, limit) for tile, each in found]
    every = {name: np.concatenate([part[name] for part in parts]) for name in row}
    best = np.argsort(-every["scores"], kind="stable")[:MOST]
    return {name: values[best] for name, values in every.items()}


def _belonging(tile: Tile, row: Row, box: Letterbox, limit: float) -> Row:
    """Return the tile's own candidates of at most `limit` pixels, in the whole image's input."""
    corner = np.array([tile.left, tile.top], np.float32)
    boxes = tile.box.restore(row["boxes"]) + np.tile(corner, 2)
    landmarks = tile.box.restore(row["landmarks"]) + corner
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = _sides(boxes)
    slack = SLACK * sides[:, None]
    own = (middles >= tile.core[:2] - slack).all(axis=1)
    own &= (middles < tile.core[2:] + slack).all(axis=1) & (sides <= limit)
    scale = np.float32(box.scale)
    return {
        "scores": row["scores"][own],
        "boxes": boxes[own] * scale,
        "landmarks": landmarks[own] * scale,
    }


def _sides(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0))


def _along(length: int, side: float) -> int:
    """Return the number of tiles of `side` pixels along `length` pixels."""
    if length <= side:
        return 1
    return math.ceil((length - OVERLAP * side) / ((1 - OVERLAP) * side))


def _spans(length: int, side: float, pixels: int) -> list[Span]:
    """Spread the tiles of `length` evenly over `pixels`; cores meet in the middle of overlaps."""
    number = _along(length, side)
    if number == 1:
        return [(0, pixels, -math.inf, math.inf)]
    extent = math.floor(side * pixels / length)
    starts = [round(i * (pixels - extent) / (number - 1)) for i in range(number)]
    borders = [(second + first + extent) / 2 for first, second in pairwise(starts)]
    cores = zip([-math.inf, *borders], [*borders, math.inf], strict=True)
    return [(start, start + extent, *core) for start, core in zip(starts, cores, strict=True)]


def _tile(column: Span, row: Span, target: DetectorInput) -> Tile:
    left, right, core_left, core_right = column
    top, bottom, core_top, core_bottom = row
    core = (core_left, core_top, core_right, core_bottom)
    place = fit(right - left, bottom - top, target)
    return Tile(left, top, right, bottom, core, *place)
