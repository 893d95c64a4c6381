"""Chooses in which inputs the detector sees an image, so that small faces are found."""

import math
from typing import NamedTuple

from analysis.detection import MAX_ENLARGEMENT, fit
from analysis.errors import MinFaceError
from analysis.plans import Rules
from analysis.tiles import OVERLAP, SHARED, count
from analysis.types import MinFace

# The longer side of the smallest face that the detector finds in its input, in pixels; see the
# model's card.
FOUND = 23.0
# `auto` finds faces of 1 / FACES_ALONG of the shorter side, if that is at least `FOUND` pixels: 40
# pixels in 1920x1080, 80 in 3840x2160.
FACES_ALONG = 27
# `auto` uses the smallest input for images of up to this longer side, in pixels.
SMALL_IMAGE = 800


class Coverage(NamedTuple):
    """How the detector sees an image.

    whole: index of the input for the whole image, in `Rules.inputs`; tile_scale: pixels of a tile
    per pixel of the image, or None without tiles; side: how many pixels the longer side of the
    decoded image must have.
    """

    whole: int
    tile_scale: float | None
    side: int


def cover(width: int, height: int, min_face: MinFace, rules: Rules) -> Coverage:
    """Choose the inputs for an image of `width` x `height` pixels.

    Raises:
        MinFaceError: faces of `min_face` pixels need more than `rules.max_tiles` tiles.
    """
    if min_face == "fast":
        return _whole(0, rules)
    if min_face == "auto":
        return _automatic(width, height, rules)
    scale = min(FOUND / min_face, MAX_ENLARGEMENT)
    if _tiles(width, height, scale, rules) > rules.max_tiles:
        raise _too_small(width, height, min_face, rules)
    return _at(width, height, scale, rules)


def _automatic(width: int, height: int, rules: Rules) -> Coverage:
    if max(width, height) <= SMALL_IMAGE:
        return _whole(0, rules)
    scale = min(FOUND * FACES_ALONG / min(width, height), 1.0)
    return _at(width, height, min(scale, _largest_scale(width, height, rules)), rules)


def _at(width: int, height: int, scale: float, rules: Rules) -> Coverage:
    """Cover an image so that it has at least `scale` pixels of an input per pixel."""
    for index, each in enumerate(rules.inputs):
        if scale * width <= each.size[1] and scale * height <= each.size[0]:
            return _whole(index, rules)
    # The whole image yields the faces that do not fit into the overlap of two tiles.
    too_large = OVERLAP * min(rules.inputs[-1].size) / scale
    scales = (fit(width, height, each)[0].scale for each in rules.inputs)
    enough = (index for index, each in enumerate(scales) if SHARED * too_large * each >= FOUND)
    whole = next(enough, len(rules.inputs) - 1)
    return Coverage(whole, scale, math.ceil(scale * max(width, height)))


def _whole(index: int, rules: Rules) -> Coverage:
    return Coverage(index, None, max(rules.inputs[index].size))


def _tiles(width: int, height: int, scale: float, rules: Rules) -> int:
    return count(width, height, scale, rules.inputs[-1])


def _largest_scale(width: int, height: int, rules: Rules) -> float:
    """Return the largest scale, to 1 %, that needs at most `rules.max_tiles` tiles."""
    low, high = 0.0, MAX_ENLARGEMENT
    while high - low > high / 100:
        middle = (low + high) / 2
        fits = _tiles(width, height, middle, rules) <= rules.max_tiles
        low, high = (middle, high) if fits else (low, middle)
    return low


def _too_small(width: int, height: int, min_face: int, rules: Rules) -> MinFaceError:
    least = math.ceil(FOUND / _largest_scale(width, height, rules))
    return MinFaceError(
        f"min_face={min_face} is too small for an image of {width:,} x {height:,} pixels: it needs "
        f"{_tiles(width, height, min(FOUND / min_face, MAX_ENLARGEMENT), rules):,} detector inputs "
        f"of the {rules.max_tiles:,} allowed; send min_face={least} or more, or min_face=auto"
    )
