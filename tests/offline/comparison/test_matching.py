"""Pairs of found and labelled faces."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.geometry import overlaps
from offline.comparison.figures import Share, equal_score
from offline.comparison.matching import FALSE, match
from offline.comparison.pictures import Truth

NONE = np.zeros((0, 4), np.float32)
corners = st.integers(0, 12).flatmap(
    lambda count: arrays(np.float32, (count, 2), elements=st.integers(0, 60))
)


def boxes_at(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, points + 20], axis=1).astype(np.float32)


@given(corners, corners, st.integers(0, 99))
def test_each_labelled_face_is_found_at_most_once(
    labels: np.ndarray, found: np.ndarray, seed: int
) -> None:
    truth, boxes = Truth(boxes_at(labels), NONE), boxes_at(found)
    scores = np.random.default_rng(seed).random(len(boxes)).astype(np.float32)
    matches = match(boxes, scores, truth, 0.4)
    right = matches.faces[matches.faces != FALSE]
    assert len(set(right.tolist())) == len(right)
    assert len(matches.faces) == len(boxes)
    assert (np.diff(matches.scores) <= 0).all()
    for box, face in zip(matches.boxes, matches.faces, strict=True):
        if face != FALSE:
            assert overlaps(box[None], truth.boxes[face][None])[0, 0] >= 0.4


@given(corners)
def test_labels_find_themselves(labels: np.ndarray) -> None:
    boxes = np.unique(boxes_at(labels), axis=0)
    scores = np.ones(len(boxes), np.float32)
    assert (match(boxes, scores, Truth(boxes, NONE), 1.0).faces != FALSE).all()


def test_a_face_on_an_ignored_one_is_neither_right_nor_false() -> None:
    box = np.array([[0, 0, 20, 20]], np.float32)
    assert len(match(box, np.ones(1, np.float32), Truth(NONE, box), 0.4).faces) == 0


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_interval_holds_the_share(hits: int, misses: int) -> None:
    share = Share(hits, hits + misses)
    low, high = share.interval
    assert 0 <= low <= share.value <= high <= 1


@given(corners, corners, st.integers(0, 99), st.floats(0, 1))
def test_a_higher_lowest_score_leaves_the_other_matches(
    labels: np.ndarray, found: np.ndarray, seed: int, least: float
) -> None:
    truth, boxes = Truth(boxes_at(labels), NONE), boxes_at(found)
    scores = np.random.default_rng(seed).random(len(boxes)).astype(np.float32)
    kept = scores >= least
    alone, part = match(boxes[kept], scores[kept], truth, 0.4), match(boxes, scores, truth, 0.4)
    rest = part.above(least)
    assert np.array_equal(alone.boxes, rest.boxes)
    assert np.array_equal(alone.faces, rest.faces)


@given(st.lists(st.floats(0.05, 1), max_size=20), st.integers(0, 20))
def test_the_equal_score_is_the_lowest_with_few_enough_false_faces(
    scores: list[float], allowed: int
) -> None:
    false = np.array(scores)
    score = equal_score(false, allowed, 0.05)
    assert (false >= score).sum() <= allowed
    assert score == 0.05 or (false >= np.nextafter(score, 0)).sum() > allowed
