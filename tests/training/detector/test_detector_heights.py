import numpy as np
import pytest

pytest.importorskip("torch", reason="torch lives in the environment for training")

from analysis.types import Detections
from engines.types import U8
from training.detector.heights import agreement, recalled, visible
from training.detector.served import faces_in, heights_of

FACES = np.array([[10, 10, 50, 60], [100, 300, 160, 380], [200, 340, 240, 420]], np.float32)


def found(*boxes: list[float]) -> Detections:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(
        corners, np.zeros((len(boxes), 5, 2), np.float32), np.ones(len(boxes), np.float32)
    )


def test_faces_count_with_their_visible_part() -> None:
    wanted = visible(FACES, 360)
    assert wanted.tolist() == [[10, 10, 50, 60], [100, 300, 160, 360]]
    rows = recalled(found([100, 305, 160, 360]), wanted)
    assert rows.tolist() == [[0, 60], [1, 360]]


def test_agreement_compares_matched_faces() -> None:
    both = [found(FACES[0].tolist(), FACES[1].tolist())], [found(FACES[1].tolist())]
    assert agreement(*both).startswith("1 of 2 and 1 faces, IoU mean 1.0000")


def test_the_padding_depends_on_the_heights() -> None:
    shapes = []

    def detector(canvas: U8) -> dict[str, np.ndarray]:
        shapes.append(canvas.shape)
        none = {"scores": (0,), "boxes": (0, 4), "landmarks": (0, 5, 2)}
        return {name: np.zeros(shape, np.float32) for name, shape in none.items()}

    image = np.zeros((360, 640, 3), np.uint8)
    for padded in (True, False):
        assert len(faces_in(detector, image, padded=padded).boxes) == 0
    assert shapes == [(640, 640, 3), (384, 640, 3)]
    assert 384 in heights_of()
