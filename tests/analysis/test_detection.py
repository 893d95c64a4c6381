import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.detection import PADDING, Letterbox, fill, nms, select
from engines.types import U8
from tests.analysis.pictures import SIZE, letterbox
from tests.photographs import ASTRONAUT_FILE, read

HEIGHTS = tuple(range(64, 641, 32))
sides = st.integers(1, 4000)


def blank(height: int, width: int) -> U8:
    return np.broadcast_to(np.uint8(200), (height, width, 3))


@given(sides, sides, st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_points_come_back_through_the_letterbox(height: int, width: int, at: list[float]) -> None:
    _, box = letterbox(blank(height, width))
    point = np.array([at[0] * width, at[1] * height])
    assert np.allclose(box.restore(point * box.scale), point, atol=0.01)


@given(sides, sides, st.sampled_from([(), (640,), (288, 384, 480, 640), HEIGHTS]))
def test_the_image_fills_the_letterbox_and_the_rest_is_padding(
    height: int, width: int, heights: tuple[int, ...]
) -> None:
    canvas, box = letterbox(blank(height, width), heights)
    inside = round(height * box.scale) or 1, round(width * box.scale) or 1
    rows = min(h for h in (*heights, SIZE[0]) if h >= inside[0])
    assert canvas.shape == (rows, SIZE[1], 3)
    assert (canvas[: inside[0], : inside[1]] == 200).all()
    assert (canvas[inside[0] :] == PADDING).all()
    assert (canvas[:, inside[1] :] == PADDING).all()
    assert max(inside) == 640 or box.scale == 2


@pytest.mark.parametrize("scale", [0.3, 0.5, 2 / 3, 0.9])
def test_a_smaller_image_has_the_mean_of_the_pixels_under_each_of_its_pixels(scale: float) -> None:
    image = read(ASTRONAUT_FILE)
    side = round(len(image) * scale)
    box = Letterbox(scale, *image.shape[1::-1])
    out = np.empty((side, side, 3), np.uint8)
    fill(image, box, out)
    mean = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    assert np.abs(out.astype(float) - mean).mean() < 1.5


boxes = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(1, 50), st.floats(1, 50)),
    max_size=20,
)


@given(boxes, st.floats(0.1, 0.9))
def test_boxes_that_nms_keeps_do_not_overlap_and_dropped_ones_do(
    drawn: list[tuple[float, ...]], limit: float
) -> None:
    array = np.array([[x, y, x + w, y + h] for x, y, w, h in drawn]).reshape(-1, 4)
    scores = np.linspace(1, 0.5, len(array))
    kept = list(nms(array, scores, limit))
    for index in range(len(array)):
        better = [k for k in kept if k < index and iou(array[k], array[index]) > limit + 1e-6]
        if index in kept:
            assert not better
        else:
            assert [k for k in kept if k < index and iou(array[k], array[index]) > limit - 1e-6]


def iou(a: U8, b: U8) -> float:
    inside = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(inside / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inside))


def row(*faces: tuple[float, tuple[float, ...]]) -> dict[str, NDArray[np.float32]]:
    return {
        "scores": np.array([score for score, _ in faces], np.float32),
        "boxes": np.array([box for _, box in faces], np.float32).reshape(-1, 4),
        "landmarks": np.zeros((len(faces), 5, 2), np.float32),
    }


def test_faces_are_sorted_by_size_and_clipped_to_the_image() -> None:
    found = select(
        row(
            (0.99, (10, 10, 30, 30)),
            (0.9, (100, 100, 700, 300)),
            (0.8, (12, 12, 32, 32)),
            (0.7, (200, 400, 300, 600)),
            (0.4, (0, 0, 600, 600)),
        ),
        Letterbox(0.5, 1280, 1280),
        min_score=0.5,
        nms_iou=0.4,
        max_faces=2,
    )
    assert found.boxes.tolist() == [[200, 200, 1280, 600], [400, 800, 600, 1200]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_no_candidates_give_no_faces() -> None:
    found = select(row(), Letterbox(1, 640, 640), min_score=0.5, nms_iou=0.4, max_faces=10)
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)
