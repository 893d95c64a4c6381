"""The inputs in which the detector sees an image: fine enough, and no more than allowed."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.coverage import FOUND, SMALL_IMAGE, Coverage, cover
from analysis.detection import MAX_ENLARGEMENT, fit
from analysis.errors import MinFaceError
from analysis.limits import ImageLimits
from analysis.plans import Rules
from analysis.tiles import count
from analysis.types import DetectorInput, MinFace

INPUTS = tuple(DetectorInput((side, side)) for side in (640, 960, 1280))
RULES = Rules(ImageLimits(1 << 20, 64_000_000), INPUTS, 0.4)
# As on a GPU.
WIDE = msgspec.structs.replace(RULES, inputs=(*INPUTS[:2], DetectorInput((736, 1280)), INPUTS[2]))
SIDES = st.integers(1, 12_000)


def scale_of(width: int, height: int, coverage: Coverage, rules: Rules) -> float:
    """Pixels of the finest input per pixel of the image."""
    return coverage.tile_scale or fit(width, height, rules.inputs[coverage.whole])[0].scale


@pytest.mark.parametrize(
    ("size", "min_face", "side", "tiles"),
    [
        ((640, 480), "auto", 640, 0),
        ((800, 600), "auto", 640, 0),
        ((1024, 768), "auto", 960, 0),
        ((1920, 1080), "auto", 1280, 0),
        ((3840, 2160), "auto", 1280, 0),
        ((1080, 1920), "auto", 1280, 0),
        ((8000, 1000), "auto", 960, 5),
        ((3840, 2160), "fast", 640, 0),
        ((8000, 1000), "fast", 640, 0),
        ((1920, 1080), 100, 640, 0),
        ((1920, 1080), 50, 960, 0),
        ((1920, 1080), 40, 1280, 0),
        ((1920, 1080), 20, 640, 2),
        ((3840, 2160), 40, 640, 2),
        ((3840, 2160), 20, 640, 15),
        ((640, 480), 10, 1280, 0),
    ],
)
def test_common_sizes(size: tuple[int, int], min_face: MinFace, side: int, tiles: int) -> None:
    coverage = cover(*size, min_face, RULES)
    scale = coverage.tile_scale
    assert max(INPUTS[coverage.whole].size) == side
    assert (count(*size, scale, INPUTS[-1]) if scale else 0) == tiles


@pytest.mark.parametrize(
    ("size", "min_face", "expected"),
    [
        ((1920, 1080), "auto", (736, 1280)),
        ((1280, 720), "auto", (736, 1280)),
        ((3840, 2160), "auto", (736, 1280)),
        ((1920, 1080), "fast", (640, 640)),
        ((1920, 1080), 50, (960, 960)),
        ((1280, 1024), "auto", (960, 960)),
        ((1080, 1920), "auto", (1280, 1280)),
        ((1280, 1280), 23, (1280, 1280)),
    ],
)
def test_films_are_seen_in_a_wide_input(
    size: tuple[int, int], min_face: MinFace, expected: tuple[int, int]
) -> None:
    assert WIDE.inputs[cover(*size, min_face, WIDE).whole].size == expected


@given(SIDES, SIDES, st.integers(8, 10_000), st.sampled_from([RULES, WIDE]))
def test_a_face_of_the_size_that_is_asked_for_is_large_enough_in_an_input(
    width: int, height: int, min_face: int, rules: Rules
) -> None:
    try:
        coverage = cover(width, height, min_face, rules)
    except MinFaceError as error:
        advised = re.search(r"send min_face=([\d,]+)", str(error))
        assert advised
        coverage = cover(width, height, int(advised[1]), rules)
        min_face = int(advised[1])
    scale = scale_of(width, height, coverage, rules)
    assert scale * min_face >= FOUND * 0.999 or scale == MAX_ENLARGEMENT
    if coverage.tile_scale:
        assert count(width, height, coverage.tile_scale, INPUTS[-1]) <= RULES.max_tiles


@given(SIDES, SIDES, st.sampled_from([RULES, WIDE]))
def test_auto_is_never_an_error_and_never_more_than_allowed(
    width: int, height: int, rules: Rules
) -> None:
    coverage = cover(width, height, "auto", rules)
    if coverage.tile_scale:
        assert 1 < count(width, height, coverage.tile_scale, INPUTS[-1]) <= RULES.max_tiles
    if max(width, height) <= SMALL_IMAGE:
        assert coverage == cover(width, height, "fast", rules)


@given(SIDES, SIDES, st.sampled_from(["auto", "fast", 20, 200]))
def test_a_turned_image_is_covered_alike(width: int, height: int, min_face: MinFace) -> None:
    outcomes = []
    for size in ((width, height), (height, width)):
        try:
            outcomes.append(str(cover(*size, min_face, RULES)))
        except MinFaceError as error:
            outcomes.append(str(error).replace(f"{size[0]:,} x {size[1]:,}", ""))
    assert outcomes[0] == outcomes[1]


def test_too_small_a_face_is_an_error_that_names_one_that_is_not() -> None:
    with pytest.raises(MinFaceError, match=r"send min_face=\d+ or more, or min_face=auto"):
        cover(7680, 4320, 10, RULES)
