"""The inputs in which the detector sees an image: fine enough, and no more than allowed."""

import re

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
SIDES = st.integers(1, 12_000)


def scale_of(width: int, height: int, coverage: Coverage) -> float:
    """Pixels of the finest input per pixel of the image."""
    return coverage.tile_scale or fit(width, height, INPUTS[coverage.whole])[0].scale


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


@given(SIDES, SIDES, st.integers(8, 10_000))
def test_a_face_of_the_size_that_is_asked_for_is_large_enough_in_an_input(
    width: int, height: int, min_face: int
) -> None:
    try:
        coverage = cover(width, height, min_face, RULES)
    except MinFaceError as error:
        advised = re.search(r"send min_face=([\d,]+)", str(error))
        assert advised
        coverage = cover(width, height, int(advised[1]), RULES)
        min_face = int(advised[1])
    scale = scale_of(width, height, coverage)
    assert scale * min_face >= FOUND * 0.999 or scale == MAX_ENLARGEMENT
    if coverage.tile_scale:
        assert count(width, height, coverage.tile_scale, INPUTS[-1]) <= RULES.max_tiles


@given(SIDES, SIDES)
def test_auto_is_never_an_error_and_never_more_than_allowed(width: int, height: int) -> None:
    coverage = cover(width, height, "auto", RULES)
    if coverage.tile_scale:
        assert 1 < count(width, height, coverage.tile_scale, INPUTS[-1]) <= RULES.max_tiles
    if max(width, height) <= SMALL_IMAGE:
        assert coverage == cover(width, height, "fast", RULES)


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
