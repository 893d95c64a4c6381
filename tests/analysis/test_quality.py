"""The quality of a face: a probability for any input, and lower for worse pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.quality import FILE, MEASURES, load, measures, qualities
from analysis.types import Detections
from engines.types import F32, U8
from tests.analysis.pictures import faces, networks, shipped
from tests.photographs import ASTRONAUT_FILE, read

ANY = st.floats(width=32)
PIXELS = hnp.arrays(np.uint8, (48, 48), elements=st.integers(0, 255))


def floats(*shape: int) -> st.SearchStrategy[F32]:
    return hnp.arrays(np.float32, shape, elements=ANY)


def random_faces(count: int, seed: int = 0) -> tuple[Detections, list[U8], F32]:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 500, (count, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 300, (count, 2))]).astype(np.float32)
    landmarks = rng.uniform(0, 500, (count, 5, 2)).astype(np.float32)
    scores = rng.dirichlet(np.ones(7), count).astype(np.float32)
    crops = list(rng.integers(0, 256, (count, 48, 48)).astype(np.uint8))
    certain = rng.uniform(0.5, 1, count).astype(np.float32)
    return Detections(boxes, landmarks, certain), crops, scores


@given(floats(1, 4), floats(1, 5, 2), floats(1), PIXELS, floats(1, 7))
def test_a_quality_is_a_probability_for_any_input(
    box: F32, landmarks: F32, score: F32, crop: U8, scores: F32
) -> None:
    (quality,) = qualities(Detections(box, landmarks, score), [crop], scores)
    assert 0 <= quality <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e38, -1e38])
def test_a_quality_is_a_probability_for_extreme_values(value: float) -> None:
    def all_of(*shape: int) -> F32:
        return np.full(shape, value, np.float32)

    found = Detections(all_of(1, 4), all_of(1, 5, 2), all_of(1))
    for level in (0, 255):
        crop = np.full((48, 48), level, np.uint8)
        (quality,) = qualities(found, [crop], all_of(1, 7))
        assert 0 <= quality <= 1


@given(st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_neighbours_do_not_change_a_bit(count: int, seed: int) -> None:
    found, crops, scores = random_faces(count, seed)
    together = qualities(found, crops, scores)
    alone = [
        qualities(
            Detections(*(part[i : i + 1] for part in found)), crops[i : i + 1], scores[i:][:1]
        )
        for i in range(count)
    ]
    assert together.dtype == np.float32
    assert together.shape == (count,)
    assert together.tobytes() == b"".join(each.tobytes() for each in alone)


def test_the_model_uses_known_measures() -> None:
    found, crops, scores = random_faces(1)
    assert tuple(measures(found, crops, scores)[0]) == MEASURES
    assert set(load(FILE).terms) <= set(MEASURES)


def blurred(image: U8) -> U8:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.uint8)


def dark(image: U8) -> U8:
    grain = np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(image * 0.1 + grain, 0, 255).astype(np.uint8)


def tiny(image: U8) -> U8:
    return np.asarray(cv2.resize(image, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA))


def test_a_clear_portrait_has_a_higher_quality_than_its_bad_copies(plans: Path) -> None:
    portrait = np.ascontiguousarray(read(ASTRONAUT_FILE)[:256, 98:354])
    with networks(shipped(plans)) as found:
        clear = faces(found, portrait)
        assert clear.qualities[0] > 0.8
        for change in (blurred, dark, tiny):
            bad = faces(found, change(portrait))
            assert bad.qualities[0] < clear.qualities[0], change.__name__
