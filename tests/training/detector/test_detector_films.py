import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.types import U8
from training.detector.degrade import compressed, dark, motion, soft
from training.detector.films import MARGINS, PADDING_BGR, alone, cut_out, film, make_pair, tilted
from training.detector.kinds_of_view import Effect
from training.detector.paste import Placement
from training.detector.pictures import Pictures
from training.detector.views import (
    CHANGES,
    OUTLINE,
    Change,
    cover,
    frontal,
    perspective,
    squeezed,
    turn,
    turned_head,
    varied,
)

RNG = np.random.default_rng(0)
PICTURES = Pictures(
    RNG.integers(0, 256, (5, 250, 250, 3)).astype(np.uint8),
    RNG.integers(0, 256, (5, 100, 100, 3)).astype(np.uint8),
)
SEEDS = st.integers(0, 2**31)
BOX = (20.0, 30.0, 80.0, 110.0)


def dot(x: float, y: float, side: int = 200) -> U8:
    """A soft white dot at these fractions of a black photograph."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    light = 255 * np.exp(-((columns - side * x) ** 2 + (rows - side * y) ** 2) / 30)
    return np.repeat(light[..., None], 3, 2).astype(np.uint8)


def light(image: U8, point: np.ndarray) -> int:
    """The level at a point, in fractions of the side."""
    column, row = np.clip(np.floor(point * len(image)).astype(int), 0, len(image) - 1)
    return int(image[row, column, 0])


@settings(max_examples=40, deadline=None)
@given(index=SEEDS, size=st.sampled_from([64, 96, 160]), profiles=st.integers(0, 3))
def test_a_pair_is_a_function_of_its_number(index: int, size: int, profiles: int) -> None:
    people = PICTURES.faces[:profiles]
    pair, again = (make_pair(PICTURES, people, size, 3, index) for _ in range(2))
    assert pair.image.shape == pair.clear.shape == (size, size, 3)
    assert pair.image.dtype == pair.clear.dtype == np.uint8
    assert np.array_equal(pair.image, again.image)
    assert np.array_equal(pair.clear, again.clear)


def test_some_pairs_are_plain_and_others_are_not() -> None:
    pairs = [make_pair(PICTURES, PICTURES.faces[:0], 64, 0, index) for index in range(60)]
    plain = sum(np.array_equal(pair.image, pair.clear) for pair in pairs)
    assert 8 < plain < 35


@pytest.mark.parametrize("change", [frontal, perspective, squeezed])
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, point=st.integers(0, len(OUTLINE) - 1))
def test_a_point_of_the_photograph_lies_where_the_outline_has_it(
    change: Change, seed: int, point: int
) -> None:
    view = change(dot(*OUTLINE[point]), np.random.default_rng(seed))
    assert light(view.image, view.outline[point]) > 180


@pytest.mark.parametrize("degrees", [-40, -15, 0, 15, 40])
def test_a_turned_head_moves_its_middle_and_not_the_background(degrees: int) -> None:
    middle = 0.5 - 0.25 * np.sin(np.deg2rad(degrees))
    assert light(turn(dot(0.5, 0.5), degrees), np.array([middle, 0.5])) > 180
    aside = dot(0.1, 0.5)
    assert np.abs(turn(aside, degrees).astype(int) - aside).max() <= 2


@pytest.mark.parametrize("change", [frontal, *CHANGES])
def test_views_keep_shape_and_type(change: Change) -> None:
    view = change(PICTURES.faces[0], np.random.default_rng(0))
    assert view.image.shape == (250, 250, 3)
    assert view.image.dtype == np.uint8
    assert view.outline.shape == OUTLINE.shape


def test_half_of_the_photographs_are_varied() -> None:
    rng, photo = np.random.default_rng(0), PICTURES.faces[0]
    same = sum(np.array_equal(varied(photo, rng), photo) for _ in range(60))
    assert 18 < same < 42
    assert turned_head in CHANGES


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_cover_hides_a_part_of_the_face(seed: int) -> None:
    scene = np.full((160, 160, 3), 255, np.uint8)
    cover(scene, BOX, np.random.default_rng(seed))
    face = scene[30:110, 20:80]
    hidden = float((face != 255).any(-1).mean())
    assert 0.1 < hidden < 0.7


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, size=st.sampled_from([64, 320, 640]))
def test_a_cut_out_face_stays_and_the_rest_is_padding(seed: int, size: int) -> None:
    rng, scene = np.random.default_rng(seed), np.full((size, size, 3), 255, np.uint8)
    where = alone(size, rng)
    x1, y1, x2, y2 = where.face()
    assert min(x1, y1) > -1
    assert max(x2, y2) < size + 1
    cut_out(scene, where, rng)
    x, y = round((x1 + x2) / 2), round((y1 + y2) / 2)
    assert scene[y, x].tolist() == [255] * 3
    padding = (scene == PADDING_BGR).all(-1)
    assert (padding | (scene == 255).all(-1)).all()
    margin = MARGINS[1] * (y2 - y1) + 1
    near = np.zeros((size, size), np.bool_)
    top, left = (max(0, int(low - margin)) for low in (y1, x1))
    near[top : int(y2 + margin) + 1, left : int(x2 + margin) + 1] = True
    assert (padding | near).all()


@pytest.mark.parametrize("effect", [compressed, dark, film, motion, soft])
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_effects_keep_shape_and_type(effect: Effect, seed: int) -> None:
    image = effect(PICTURES.backgrounds[0], np.random.default_rng(seed))
    assert image.shape == (100, 100, 3)
    assert image.dtype == np.uint8


def test_a_dark_picture_is_dark() -> None:
    grey = np.full((100, 100, 3), 200, np.uint8)
    assert dark(grey, np.random.default_rng(0)).mean() < 110
    assert cv2.meanStdDev(dark(grey, np.random.default_rng(0)))[1].max() > 0.3


def test_a_third_of_the_photographs_is_tilted() -> None:
    rng, where = np.random.default_rng(0), Placement((5.0, 5.0), 9.0, 3.0)
    angles = [tilted(where, rng).angle for _ in range(300)]
    assert 60 < sum(angle != 3.0 for angle in angles) < 140
    assert max(map(abs, angles)) > 50
