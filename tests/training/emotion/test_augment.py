"""Views of a face: shapes, determinism, and properties of each change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engines.types import U8
from training.emotion import degrade
from training.emotion.augment import jitter_frame, view
from training.emotion.degrade import Rng
from training.emotion.recipe import Strength

faces = hnp.arrays(np.uint8, (48, 48))
seeds = st.integers(0, 2**32 - 1)
STILL = Strength(scale=(1.0, 1.0), shift=0.0, rotation=0.0, tone=0.0, degrade=0.0, erase=0.0)
CHANGES = (
    degrade.change_tone,
    degrade.side_light,
    degrade.blur,
    degrade.motion_blur,
    degrade.shrink_and_back,
    degrade.compress,
    degrade.grain,
    degrade.erase,
)


@given(faces, seeds, st.sampled_from([32, 40, 48]))
def test_a_view_is_a_grey_image_of_its_side(face: U8, seed: int, side: int) -> None:
    result = view(face, np.random.default_rng(seed), side)
    assert result.shape == (side, side)
    assert result.dtype == np.uint8


@given(faces, seeds)
def test_the_seed_fixes_the_view_and_the_face_is_unchanged(face: U8, seed: int) -> None:
    before = face.copy()
    first, again = (view(face, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(face, before)


@given(faces, seeds)
def test_without_strength_a_view_is_the_face_or_its_mirror_image(face: U8, seed: int) -> None:
    result = view(face, np.random.default_rng(seed), strength=STILL)
    assert (result == face).all() or (result == face[:, ::-1]).all()


@given(st.integers(0, 255), seeds)
def test_the_border_is_replicated_not_black(grey: int, seed: int) -> None:
    face = np.full((48, 48), grey, np.uint8)
    assert (jitter_frame(face, np.random.default_rng(seed), 48, Strength()) == grey).all()


@pytest.mark.parametrize("scale", [0.85, 1.25])
def test_a_large_scale_makes_the_face_small(scale: float) -> None:
    rows, columns = np.mgrid[:48, :48] - 23.5
    disc = np.where(rows**2 + columns**2 < 12**2, 255, 0).astype(np.uint8)
    strength = Strength(scale=(scale, scale), shift=0.0, rotation=0.0)
    result = jitter_frame(disc, np.random.default_rng(0), 48, strength)
    assert (result > 127).sum() == pytest.approx((disc > 127).sum() / scale**2, rel=0.06)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("side", [32, 48])
def test_a_change_keeps_shape_and_type(change: Callable[[U8, Rng], U8], side: int) -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        image = rng.integers(0, 256, (side, side)).astype(np.uint8)
        before = image.copy()
        result = change(image, rng)
        assert result.shape == image.shape
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(image, before)


def test_blurring_keeps_the_mean_and_lowers_the_deviation() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 48)).astype(np.uint8)
    for change in (degrade.blur, degrade.motion_blur, degrade.shrink_and_back):
        for _ in range(20):
            result = change(image, rng)
            assert result.mean() == pytest.approx(image.mean(), abs=3)
            assert result.std() < image.std()


@given(faces, seeds)
def test_an_erased_rectangle_is_at_most_a_fifth(face: U8, seed: int) -> None:
    changed = degrade.erase(face, np.random.default_rng(seed)) != face
    assert changed.mean() <= 0.2
