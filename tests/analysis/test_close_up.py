"""Faces that fill the image are found once, and the second look does not affect other images."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.analyze import analyze
from analysis.close_up import MARGIN, SHRINK, CloseUps, merged, second_look, wanted
from analysis.detection import PADDING, fit, nms
from analysis.types import DetectorInput, Input, Options
from engines.types import U8
from tests.analysis.pictures import IMAGES, SIZE, faces, letterbox, networks, outcome, same, shipped
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, encode, iou, read


def filling(fill: float, width: int, height: int) -> tuple[U8, tuple[float, ...]]:
    """The astronaut's face, `fill` times as high as the frame around its middle, and its box."""
    x1, y1, x2, y2 = ASTRONAUT_BOX
    scale = fill * height / (y2 - y1)
    shift = [width / 2 - scale * (x1 + x2) / 2, height / 2 - scale * (y1 + y2) / 2]
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    image = cv2.warpAffine(
        read(ASTRONAUT_FILE), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    box = scale * np.array(ASTRONAUT_BOX) + np.array(shift * 2)
    return np.asarray(image, np.uint8), tuple(
        np.clip(box, 0, [width, height, width, height]).tolist()
    )


@pytest.mark.parametrize(("fill", "width", "height"), [(1.5, 640, 640), (2.0, 640, 480)])
def test_a_face_that_fills_the_frame_is_found_once(
    fill: float, width: int, height: int, plans: Path
) -> None:
    image, box = filling(fill, width, height)
    with networks(shipped(plans, close_ups="on")) as found_by:
        (found,) = faces(found_by, image).faces.boxes
    assert iou(found.tolist(), box) > 0.5


def test_without_a_second_look_a_close_up_is_missed_and_auto_looks_again(plans: Path) -> None:
    image, box = filling(1.75, 640, 640)
    policies: tuple[CloseUps, ...] = ("off", "auto")
    hits = {}
    for policy in policies:
        with networks(shipped(plans, close_ups=policy)) as found_by:
            boxes = faces(found_by, image).faces.boxes
        hits[policy] = [iou(found.tolist(), box) > 0.5 for found in boxes]
    assert not any(hits["off"])
    assert hits["auto"] == [True]


@pytest.mark.parametrize(
    ("score", "side", "again"), [(0.15, 500, False), (0.25, 500, True), (0.99, 300, False)]
)
def test_auto_looks_again_if_a_large_anchor_has_a_low_score(
    score: float, side: float, again: bool
) -> None:
    row = {"scores": np.array([score]), "boxes": np.array([[0, 0, side / 2, side]])}
    assert wanted(row, "auto") == again
    assert wanted(row, "on")
    assert not wanted(row, "off")


def test_a_close_up_gives_the_same_alone_as_beside_others(plans: Path) -> None:
    images = [*(encode(filling(fill, 640, 640)[0]) for fill in (1.0, 1.5, 2.0)), *IMAGES[:2]]
    with networks(shipped(plans, images=4, heights=False)) as found_by:
        alone = [outcome(found_by, each) for each in images]
        together = analyze([Input(each, Options()) for each in images * 2], found_by)
    for one, result in zip(alone * 2, together, strict=True):
        assert same(one, result.outcome)


sides = st.integers(2, 2000)


@given(
    sides,
    sides,
    st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
    st.sampled_from([(), (288, 384, 480, 640), tuple(range(64, 641, 32))]),
)
def test_points_come_back_from_the_second_look(
    width: int, height: int, at: tuple[float, float], heights: tuple[int, ...]
) -> None:
    image = np.broadcast_to(np.uint8(200), (height, width, 3))
    canvas, box = letterbox(image, heights)
    target = DetectorInput(SIZE, tuple(heights))
    again = second_look(canvas, box, target)
    least = max(1, box.inside[1] // SHRINK) + 2 * MARGIN
    assert len(again) == min(h for h in (*heights, SIZE[0]) if h >= least)
    rows, columns = np.nonzero((again != PADDING).any(axis=2))
    low = np.array([columns.min(), rows.min()], np.float32)
    high = np.array([columns.max() + 1, rows.max() + 1], np.float32)
    point = low + np.array(at, np.float32) * (high - low)
    far = np.array([*point - 500, *point + 500], np.float32)
    seen = {
        "scores": np.ones(1, np.float32),
        "boxes": far[None],
        "landmarks": np.tile(point, (1, 5, 1)),
    }
    none = {name: value[:0] for name, value in seen.items()}
    back = merged(none, seen, again.shape, box, target)
    assert np.allclose(back["landmarks"][0, 0], np.array(at) * box.inside, atol=0.01)
    centre = back["boxes"].reshape(2, 2).mean(axis=0)
    assert np.allclose(centre, back["landmarks"][0, 0], atol=0.01)


def test_only_close_ups_are_taken_from_the_second_look() -> None:
    _, box = letterbox(np.zeros((640, 640, 3), np.uint8))
    boxes = np.array([[250, 250, 300, 300], [220, 220, 400, 400]], np.float32)
    row = {
        "scores": np.array([0.9, 0.8], np.float32),
        "boxes": boxes,
        "landmarks": np.zeros((2, 5, 2), np.float32),
    }
    none = {name: value[:0] for name, value in row.items()}
    found = merged(none, row, (640, 640, 3), box, DetectorInput(SIZE))
    assert found["scores"].tolist() == [pytest.approx(0.8)]


@pytest.mark.parametrize("size", [(320, 320), (640, 384), (384, 640)])
def test_the_copy_fits_into_a_first_input_of_any_size(size: tuple[int, int]) -> None:
    """A user's catalog may have such an input."""
    box, shape = fit(4000, 3900, DetectorInput((1280, 1280)))
    again = second_look(np.full(shape, 200, np.uint8), box, DetectorInput(size))
    assert again.shape == (*size, 3)
    rows, columns = np.nonzero((again != PADDING).any(axis=2))
    ratio = (np.ptp(columns) + 1) / (np.ptp(rows) + 1)
    assert ratio == pytest.approx(4000 / 3900, rel=0.02)


def test_parts_of_a_close_up_are_dropped_and_a_small_face_in_front_does_not_drop_it() -> None:
    face, part, frame = [100, 0, 540, 480], [200, 200, 400, 470], [0, 0, 640, 480]
    boxes = np.array([face, part, frame], np.float32)
    assert nms(boxes, np.array([0.99, 0.6, 0.7]), 0.4).tolist() == [0]
    assert nms(boxes[:2], np.array([0.7, 0.9]), 0.4).tolist() == [1, 0]
    small = boxes / 4
    assert len(nms(small[:2], np.array([0.99, 0.6]), 0.4)) == 2
