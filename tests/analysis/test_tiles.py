"""Tiles: every face that fits into an overlap lies within the one tile that it belongs to."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.detection import Row, fit, nms
from analysis.tiles import SLACK, Tile, count, joined, largest, tiles
from analysis.types import DetectorInput

TARGET = DetectorInput((1280, 1280), tuple(range(64, 1281, 32)))
WHOLE = DetectorInput((640, 640))
LENGTHS = st.integers(1, 12_000)
SCALES = st.floats(0.05, 2)
SHARES = st.floats(0, 1)
LOW = DetectorInput((384, 640))


def divided(width: int, height: int, scale: float) -> list[Tile]:
    assume(1 < count(width, height, scale, TARGET) <= 400)
    return tiles(width, height, scale, TARGET, (width, height))


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
    assert len(nms(rows["boxes"], rows["scores"], 0.4)) == 1
    # A tile that sees a face just beyond its core may cut off a little.
    off = np.abs(box.restore(rows["boxes"]) - face).max(axis=1)
    assert off.min() <= 0.5
    assert off.max() <= 0.5 + 1.1 * SLACK * side
    assert np.allclose(box.restore(rows["landmarks"][off.argmin()]), centre, atol=0.5)


def test_only_the_best_candidates_of_many_are_kept() -> None:
    box, _ = fit(7680, 4320, WHOLE)
    parts = tiles(7680, 4320, 0.5, TARGET, (7680, 4320))
    each = candidates([(600.0, 600.0, 630.0, 630.0)] * 1000, 0.1)
    each["scores"][7] = 0.8
    rows = joined(candidates([]), box, [(part, each) for part in parts])
    assert len(rows["scores"]) == 2000
    assert rows["scores"][0] == np.float32(0.8)


@given(st.integers(1, 8000), st.integers(6000, 8000), SHARES, st.integers(1, 8))
def test_an_image_decoded_with_fewer_pixels_has_the_same_tiles(
    width: int, height: int, share: float, divisor: int
) -> None:
    # From two tiles to the largest enlargement.
    scale = 1281 / height + share * (2 / divisor - 1281 / height)
    whole = tiles(width, height, scale, TARGET, (width, height))
    pixels = -(-width // divisor), -(-height // divisor)
    parts = tiles(width, height, scale, TARGET, pixels)
    assert len(parts) == len(whole)
    for one, other in zip(whole, parts, strict=True):
        edges = np.array([other.left, other.top, other.right, other.bottom])
        ratios = np.array([width / pixels[0], height / pixels[1]] * 2)
        assert np.allclose(edges * ratios, one[:4], atol=2 * divisor)
    assert max(part.right for part in parts) == pixels[0]
    assert max(part.bottom for part in parts) == pixels[1]


def test_a_tile_of_an_input_that_is_not_square_shares_its_shorter_overlap() -> None:
    """A face of a quarter of the longer side would be cut at the upper and lower edges."""
    sides = {largest(part) for part in tiles(3000, 3000, 1.0, LOW, (3000, 3000))}
    assert sides == {96.0}
    assert largest(tiles(3000, 300, 1.0, LOW, (3000, 300))[0]) == 160.0


def test_a_face_on_a_border_is_kept_although_each_tile_places_it_in_the_other() -> None:
    box, _ = fit(7680, 4320, WHOLE)
    parts = tiles(7680, 4320, 0.5, TARGET, (7680, 4320))
    border = parts[0].core[2]
    face = (border - 50, 400.0, border + 50, 500.0)
    off = [np.array([1.0, 0, 1, 0]) * (1 if part.left == 0 else -1) for part in parts]
    found = [
        (part, candidates(seen(tuple((np.array(face) + shift).tolist()), part)))
        for part, shift in zip(parts, off, strict=True)
    ]
    rows = joined(candidates([]), box, found)
    assert len(rows["boxes"]) == 2
    assert np.allclose(box.restore(rows["boxes"]), face, atol=1.5)
