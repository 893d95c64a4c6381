"""Tiles: every face that fits into an overlap lies within the one tile that it belongs to."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.detection import Row, fit
from analysis.tiles import Tile, count, joined, largest, tiles
from analysis.types import DetectorInput

TARGET = DetectorInput((1280, 1280), tuple(range(64, 1281, 32)))
WHOLE = DetectorInput((640, 640))
LENGTHS = st.integers(1, 12_000)
SCALES = st.floats(0.05, 2)
SHARES = st.floats(0, 1)


def divided(width: int, height: int, scale: float) -> list[Tile]:
    assume(1 < count(width, height, scale, TARGET) <= 400)
    return tiles(width, height, scale, TARGET)


@given(LENGTHS, LENGTHS, SCALES)
def test_tiles_cover_the_image_and_fit_into_the_input(
    width: int, height: int, scale: float
) -> None:
    parts = divided(width, height, scale)
    assert len(parts) == count(width, height, scale, TARGET)
    for part in parts:
        assert 0 <= part.left < part.right <= width
        assert 0 <= part.top < part.bottom <= height
        assert part.box.scale >= min(scale, 2) * 0.999
        inside = part.box.inside
        assert inside[0] <= part.shape[1] == TARGET.size[1]
        assert inside[1] <= part.shape[0] <= TARGET.size[0]
    edges = {edge for part in parts for edge in (part.left, part.top)}
    assert 0 in edges
    assert max(part.right for part in parts) == width
    assert max(part.bottom for part in parts) == height


@given(LENGTHS, LENGTHS, SCALES, st.tuples(SHARES, SHARES), st.tuples(SHARES, SHARES))
def test_a_face_lies_within_the_one_tile_that_it_belongs_to(
    width: int,
    height: int,
    scale: float,
    at: tuple[float, float],
    size: tuple[float, float],
) -> None:
    parts = divided(width, height, scale)
    middle, half = np.array(at) * (width, height), np.array(size) * largest(parts[0]) / 2
    low = np.maximum(middle - half, 0)
    high = np.minimum(middle + half, (width, height))
    owners = [
        part for part in parts if (middle >= part.core[:2]).all() and (middle < part.core[2:]).all()
    ]
    (owner,) = owners
    # Edges are whole pixels.
    assert (low >= np.array([owner.left, owner.top]) - 1).all()
    assert (high <= np.array([owner.right, owner.bottom]) + 1).all()


def candidates(boxes: list[tuple[float, ...]], score: float = 0.9) -> Row:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    middles = corners.reshape(-1, 2, 2).mean(axis=1)
    return {
        "scores": np.full(len(corners), score, np.float32),
        "boxes": corners,
        "landmarks": np.repeat(middles[:, None], 5, axis=1),
    }


def seen(face: tuple[float, ...], part: Tile) -> list[tuple[float, ...]]:
    """The visible part of a face in a tile, in pixels of its input."""
    edges = (part.left, part.top, part.right, part.bottom)
    x1, y1 = (max(face[i], edges[i]) for i in (0, 1))
    x2, y2 = (min(face[i], edges[i]) for i in (2, 3))
    if x2 <= x1 or y2 <= y1:
        return []
    shift = np.array([part.left, part.top] * 2)
    return [tuple(((np.array([x1, y1, x2, y2]) - shift) * part.box.scale).tolist())]


@given(st.tuples(SHARES, SHARES), st.floats(30, 1500))
def test_a_face_of_any_size_is_taken_once_from_tiles_or_whole_image(
    at: tuple[float, float], side: float
) -> None:
    width, height = 7680, 4320
    box, _ = fit(width, height, WHOLE)
    parts = divided(width, height, 0.5)
    centre = side / 2 + np.array(at) * (width - side, height - side)
    face = (*(centre - side / 2), *(centre + side / 2))
    # The detector finds it in the whole image from 20 pixels on.
    found = side * box.scale >= 20
    whole = candidates([tuple(np.array(face) * box.scale)] if found else [])
    rows = joined(whole, box, [(part, candidates(seen(face, part))) for part in parts])
    assert 1 <= len(rows["boxes"]) <= 2
    for each, points in zip(rows["boxes"], rows["landmarks"], strict=True):
        assert np.allclose(box.restore(each), face, atol=0.5)
        assert np.allclose(box.restore(points), centre, atol=0.5)


def test_only_the_best_candidates_of_many_are_kept() -> None:
    box, _ = fit(7680, 4320, WHOLE)
    parts = tiles(7680, 4320, 0.5, TARGET)
    each = candidates([(600.0, 600.0, 630.0, 630.0)] * 1000, 0.1)
    each["scores"][7] = 0.8
    rows = joined(candidates([]), box, [(part, each) for part in parts])
    assert len(rows["scores"]) == 2000
    assert rows["scores"][0] == np.float32(0.8)
