"""Faces drawn on pictures."""

import numpy as np

from offline.drawing.annotate import annotate
from tests.offline.helpers import face


def test_boxes_are_drawn_on_a_smaller_copy_of_the_image() -> None:
    """The pixels of a JPEG beyond the pixel limit are fewer than its boxes assume."""
    copy = np.zeros((600, 800, 3), np.uint8)
    large = face().model_copy(update={"box": [400, 400, 1200, 1200]})
    small = face().model_copy(update={"box": [100, 100, 300, 300]})
    expected = np.asarray(annotate(copy, [small]))
    assert expected.any()
    assert np.array_equal(np.asarray(annotate(copy, [large], 3200)), expected)


def test_a_picture_shows_the_quality() -> None:
    empty = np.zeros((400, 600, 3), np.uint8)
    white = [
        (np.asarray(annotate(empty, [face(200, quality=quality)])) == 255).all(axis=2).sum()
        for quality in (0.5, 0.75, 1.0)
    ]
    assert white[0] < white[1] < white[2]  # the bar


def test_an_unsure_emotion_has_a_question_mark() -> None:
    empty, narrow = np.zeros((400, 130, 3), np.uint8), {"box": [10, 100, 60, 150]}
    sure, unsure, poor = (
        np.asarray(annotate(empty, [face(quality=quality).model_copy(update=narrow)]))
        for quality in (0.9, 0.49, 0.1)
    )
    assert not np.array_equal(sure, unsure)
    assert np.array_equal(unsure, poor)  # there is no room for the bars
