import numpy as np

from analysis.document import Face
from offline.drawing.annotate import annotate


def face(*box: float) -> Face:
    return Face.model_validate(
        {
            "box": box,
            "landmarks": [(0, 0)] * 5,
            "score": 0.9,
            "emotion": "happy",
            "scores": {"happy": 1.0},
            "embedding": None,
        }
    )


def test_boxes_are_drawn_on_a_smaller_copy_of_the_image() -> None:
    """The pixels of a JPEG beyond the pixel limit are fewer than its boxes assume."""
    copy = np.zeros((600, 800, 3), np.uint8)
    large, small = face(400, 400, 1200, 1200), face(100, 100, 300, 300)
    expected = np.asarray(annotate(copy, [small]))
    assert expected.any()
    assert np.array_equal(np.asarray(annotate(copy, [large], 3200)), expected)
