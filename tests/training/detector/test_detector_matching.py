import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.geometry import overlaps
from training.detector.matching import Recall, landmark_error, match, size_bin

CORNERS = st.tuples(*[st.integers(0, 50)] * 2, *[st.integers(1, 50)] * 2)
BOXES = st.lists(CORNERS, min_size=1, max_size=6).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32)
)


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_a_share(first: np.ndarray, second: np.ndarray) -> None:
    table = overlaps(first, second)
    assert np.allclose(table, overlaps(second, first).T)
    assert ((table >= 0) & (table <= 1 + 1e-6)).all()
    assert np.allclose(np.diag(overlaps(first, first)), 1)


@given(BOXES, BOXES)
def test_a_detection_is_one_face_only(found: np.ndarray, wanted: np.ndarray) -> None:
    pairs = match(found, wanted)
    hits = pairs[pairs >= 0]
    assert len(set(hits.tolist())) == len(hits)
    for place in np.flatnonzero(pairs >= 0):
        assert overlaps(found, wanted)[pairs[place], place] >= 0.5


def test_nothing_found_and_nothing_wanted() -> None:
    none, one = np.zeros((0, 4), np.float32), np.array([[0, 0, 4, 4]], np.float32)
    assert match(none, one).tolist() == [-1]
    assert match(one, none).size == 0


@pytest.mark.parametrize(
    ("height", "name"),
    [(9, "<10"), (10, "10-20"), (39.9, "20-40"), (159, "80-160"), (160, "160+"), (900, "160+")],
)
def test_bins_go_by_height(height: float, name: str) -> None:
    assert size_bin(np.array([5, 5, 8, 5 + height], np.float32)) == name


def test_recall_by_size() -> None:
    recall = Recall()
    boxes = np.array([[0, 0, 9, 15], [0, 0, 9, 15], [0, 0, 90, 100]], np.float32)
    recall.add(boxes, np.array([0, -1, 1]))
    table = recall.table()
    assert table["10-20"] == {"recall": 0.5, "faces": 2}
    assert table["80-160"] == {"recall": 1.0, "faces": 1}
    assert table["all"]["recall"] == pytest.approx(2 / 3)


def test_landmark_error_does_not_depend_on_size() -> None:
    points = np.array([[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]], np.float32)
    shift = np.array([1, 0], np.float32)
    assert landmark_error(points + shift, points) == pytest.approx(0.1)
    assert landmark_error(7 * (points + shift), 7 * points) == pytest.approx(0.1)
