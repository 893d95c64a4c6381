import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("skimage", reason="has the portraits")

from engines.geometry import overlaps
from training.detector.small import CELL, FEW, GREY, HEADS, HEIGHTS, SIZES, Row, frame, places
from training.ladders import SEEN, SIDE, ladders, portraits

FACES = np.random.default_rng(0).integers(0, 256, (3, 250, 250, 3)).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    height=st.sampled_from(HEIGHTS),
    size=st.sampled_from(SIZES),
    count=st.sampled_from([FEW, HEADS]),
)
def test_heads_lie_apart_inside_the_frame(
    seed: int, height: int, size: tuple[int, int], count: int
) -> None:
    where = places(height, size, count, np.random.default_rng(seed))
    boxes = np.array([each.face() for each in where], np.float32)
    room = int(size[0] / (CELL * height)) * int(size[1] / (CELL * height))
    assert len(boxes) == min(count, room)
    assert boxes[:, 3] - boxes[:, 1] == pytest.approx(height, rel=1e-3)
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= size).all()
    assert overlaps(boxes, boxes).sum() == pytest.approx(len(boxes), rel=1e-4)


def test_a_frame_is_grey_but_for_its_heads() -> None:
    shown = frame(FACES, 60, (640, 480), FEW, np.random.default_rng(0))
    assert shown.image.shape == (480, 640, 3)
    assert len(shown.boxes) == FEW
    for x1, y1, x2, y2 in shown.boxes.round().astype(int).tolist():
        assert shown.image[y1:y2, x1:x2].std() > 10
    assert 0.8 < (shown.image == GREY).mean() < 0.99


def test_a_row_shows_medians_and_percentages() -> None:
    row = Row(many=[1, 9, 2], few=[4])
    for height in HEIGHTS:
        row.found[height], row.wanted[height] = 3, 4
    assert row.text() == "2 | 4" + " | 75" * len(HEIGHTS)


def test_a_refused_choice_has_its_code() -> None:
    row = Row(refused="min_face_too_small")
    assert row.text().startswith("`min_face_too_small` |")
    assert row.text().count("|") == Row(
        many=[1], few=[1], wanted=dict.fromkeys(HEIGHTS, 1)
    ).text().count("|")


def test_every_ladder_shows_both_portraits_unchanged_and_changed() -> None:
    first, second = portraits()
    for name, row in ladders(SEEN):
        half = len(row) // 2
        assert np.array_equal(row[0].image, first.image), name
        assert np.array_equal(row[half].image, second.image), name
        assert all(not np.array_equal(each.image, first.image) for each in row[1:half]), name
        assert all(max(each.image.shape) <= SIDE for each in row), name
