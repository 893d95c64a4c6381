import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

from training.detector import quarters  # noqa: E402
from training.detector.detections import Detections, anchors, decode  # noqa: E402
from training.detector.network import Output  # noqa: E402
from training.detector.profiles import ASIDE, aside  # noqa: E402

SIZE = 64
PRIOR = anchors(SIZE, SIZE)
UPRIGHT = np.array([[30, 40], [50, 40], [40, 50], [33, 60], [47, 60]], np.float32)


def turned(points: np.ndarray, count: int) -> np.ndarray:
    """Points (..., 2) in a square picture that is turned counter-clockwise so many times."""
    for _ in range(count):
        points = np.stack([points[..., 1], SIZE - points[..., 0]], -1)
    return points


def output() -> Output:
    torch.manual_seed(0)
    classes, boxes, landmarks = (torch.randn(1, len(PRIOR), width) for width in (2, 4, 10))
    return Output(classes, boxes, landmarks, ())


def decoded(heads: Output) -> np.ndarray:
    """Logits, boxes and landmarks (A, 16) of the only picture, sorted by its logits."""
    regressions = torch.cat([heads.boxes, heads.landmarks], -1)[0].numpy()
    boxes, points = decode(regressions, PRIOR)
    rows = np.concatenate([heads.classes[0].numpy(), boxes, points.reshape(-1, 10)], 1)
    return rows[np.argsort(rows[:, 0])]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_turned_heads_are_those_of_the_turned_faces(count: int) -> None:
    before, after = output(), quarters.turned_heads(output(), [count], SIZE)
    rows = decoded(before)
    corners = turned(rows[:, 2:6].reshape(-1, 2, 2), count)
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    points = turned(rows[:, 6:].reshape(-1, 5, 2), count).reshape(-1, 10)
    expected = np.concatenate([rows[:, :2], boxes, points], 1)
    assert decoded(after) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_pictures_turn_like_points(count: int) -> None:
    image = torch.zeros(1, 3, SIZE, SIZE)
    image[..., 5, 50] = 1
    (row, column) = quarters.turned_images(image, [count])[0, 0].nonzero()[0].tolist()
    assert (column + 0.5, row + 0.5) == tuple(turned(np.array([50.5, 5.5]), count).tolist())


def test_a_cycle_has_every_turn_and_most_pairs_are_upright() -> None:
    turns = quarters.of_batch(7, 200)
    assert set(turns) == {0, 1, 2, 3}
    assert turns.count(0) > 150
    assert turns[:8] == [1, 0, 0, 0, 0, 2, 0, 0]


def faces(*noses: float) -> Detections:
    """Faces in a row of 100 pixels each, with these distances of the nose from the middle."""
    points = np.stack([UPRIGHT + np.array([100 * place, 0]) for place in range(len(noses))])
    points[:, 2, 0] += noses
    centres = points.mean(1, keepdims=True).repeat(2, 1)
    boxes = (centres + np.array([[-20, -25], [20, 25]])).reshape(-1, 4)
    scores = np.ones(len(noses), np.float32)
    return Detections(boxes.astype(np.float32), scores, points.astype(np.float32))


@pytest.mark.parametrize(("nose", "profile"), [(0, False), (5, False), (8, True), (-12, True)])
def test_a_nose_aside_is_a_profile(nose: float, profile: bool) -> None:
    assert (aside(faces(nose), 40) > ASIDE) == profile


def test_the_face_nearest_to_the_middle_decides() -> None:
    both = faces(0, 10)
    assert aside(both, 40) == pytest.approx(0, abs=1e-5)
    assert aside(both, 120) == pytest.approx(0.5)


def test_a_photograph_without_a_face_is_no_profile() -> None:
    none = Detections(*(np.zeros(shape, np.float32) for shape in ((0, 4), 0, (0, 5, 2))))
    assert aside(none, 40) == 0
