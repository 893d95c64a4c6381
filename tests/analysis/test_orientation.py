"""Images that are turned, and the way back of their faces."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.orientation import SURE, TURNS, evidence, sure, turned, turned_back
from analysis.types import Detections

SIDES = st.integers(2, 60)
SHARES = st.floats(0, 1)
UPRIGHT = np.array([[-2, -1], [2, -1], [0, 0], [-1, 2], [1, 2]], np.float32)


@given(SIDES, SIDES, st.sampled_from([0, *TURNS]), st.tuples(SHARES, SHARES))
def test_a_point_comes_back_to_its_pixel(
    width: int, height: int, degrees: int, at: tuple[float, float]
) -> None:
    x, y = int(at[0] * (width - 1)), int(at[1] * (height - 1))
    image = np.zeros((height, width, 3), np.uint8)
    image[y, x] = 255
    rows, columns = np.nonzero(turned(image, degrees)[:, :, 0])
    box = [columns[0], rows[0], columns[0] + 1, rows[0] + 1]
    points = np.full((1, 5, 2), (columns[0] + 0.5, rows[0] + 0.5))
    found = Detections(
        np.array([box], np.float32), points.astype(np.float32), np.ones(1, np.float32)
    )
    back = turned_back(found, degrees, width, height)
    assert back.boxes.tolist() == [[x, y, x + 1, y + 1]]
    assert (back.landmarks == (x + 0.5, y + 0.5)).all()


def faces_at(degrees: list[float], score: float) -> Detections:
    angles = np.radians(degrees)
    turns = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    landmarks = (UPRIGHT @ turns.transpose(0, 2, 1)).astype(np.float32)
    count = len(degrees)
    return Detections(
        np.zeros((count, 4), np.float32), landmarks, np.full(count, score, np.float32)
    )


def test_faces_that_are_turned_by_more_than_45_degrees_are_no_evidence() -> None:
    assert evidence(faces_at([0, 40, -40, 50, 90, 180], 0.5)) == 1.5
    assert not sure(faces_at([50, 90, 180], 1.0))


def test_an_upright_face_with_a_high_score_is_sure() -> None:
    assert sure(faces_at([90, 40], SURE))
    assert not sure(faces_at([0, 0, 0], SURE - 0.01))


def test_no_face_is_no_evidence() -> None:
    shapes = ((0, 4), (0, 5, 2), (0,))
    assert evidence(Detections(*(np.zeros(shape, np.float32) for shape in shapes))) == 0
    none = Detections(*(np.zeros(shape, np.float32) for shape in shapes))
    assert len(turned_back(none, 90, 10, 20).boxes) == 0
