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
