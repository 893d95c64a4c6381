import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.crops import (
    ARCFACE_TEMPLATE,
    FRAME_HEIGHT_SHARE,
    FRAME_WIDTH_SHARE,
    IGNORED_ROLL,
    arcface_crops,
    enlargement,
    fer_crop,
    similarities,
)
from engines.types import F64, U8, Array
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, read

angles = st.floats(-3, 3)


def similarity(source: F64) -> F64:
    """The matrix of one face onto ArcFace's template."""
    (matrix,) = similarities(source[None], ARCFACE_TEMPLATE)
    return np.asarray(matrix)


def arcface_crop(image: U8, landmarks: F64) -> U8:
    (crop,) = arcface_crops(image, landmarks[None])
    return crop


@given(angles, st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_similarity_recovers_rotation_scale_and_shift(
    angle: float, scale: float, x: float, y: float
) -> None:
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (ARCFACE_TEMPLATE - [x, y]) @ rotation / scale
    matrix = similarity(moved)
    assert np.allclose(moved @ matrix[:, :2].T + matrix[:, 2], ARCFACE_TEMPLATE, atol=1e-6)


def by_decomposition(source: F64, target: F64) -> F64:
    """Umeyama's own way, equations 40 to 43: for any dimension, by singular values."""
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = source - centre, target - goal
    u, d, vt = np.linalg.svd(b.T @ a / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0])
    turned = (u * sign) @ vt * (d * sign).sum() / max((a**2).sum() / len(source), 1e-12)
    return np.hstack([turned, (goal - turned @ centre)[:, None]])


coordinates = st.floats(-2000, 2000).map(lambda value: round(value, 3))


@given(st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=5))
def test_a_similarity_is_that_of_umeyamas_decomposition(points: list[tuple[float, float]]) -> None:
    """For landmarks that are no face, too: mirrored ones, and several or all on one point."""
    for source in (np.array(points), np.array(points) * [-1, 1]):
        wanted = by_decomposition(source, ARCFACE_TEMPLATE)
        assert np.allclose(similarity(source), wanted, rtol=1e-9, atol=1e-9)


faces = st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=5)


@given(st.lists(faces, min_size=1, max_size=9))
def test_a_face_has_the_same_similarity_alone_as_among_others(
    drawn: list[list[tuple[float, float]]],
) -> None:
    """To the last bit: a sum over several faces at once must not depend on how many they are."""
    together = similarities(np.array(drawn), ARCFACE_TEMPLATE)
    for matrix, points in zip(together, drawn, strict=True):
        assert matrix.tobytes() == similarity(np.array(points)).tobytes()


def test_landmarks_on_one_point_give_a_finite_similarity() -> None:
    assert np.isfinite(similarity(np.ones((5, 2)))).all()


@pytest.mark.parametrize("factor", [2, 3, 5.5])
def test_a_larger_face_gives_the_same_crop(factor: float) -> None:
    image = read(ASTRONAUT_FILE)
    landmarks = np.array([[204, 101], [246, 103], [225, 129], [203, 139], [246, 140]])
    wanted = arcface_crop(image, landmarks)
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    found = arcface_crop(np.asarray(large, np.uint8), (landmarks + 0.5) * factor - 0.5)
    assert wanted.shape == (112, 112, 3)
    assert np.abs(wanted.astype(int) - found.astype(int)).mean() < 2.5


def test_faces_are_enlarged_until_the_smallest_fills_its_crop() -> None:
    boxes = np.array([[0, 0, 78.5, 101], [10, 10, 10 + 0.785 * 24, 10 + 1.01 * 24]])
    assert enlargement(boxes, 48) == pytest.approx(2)
    assert enlargement(boxes[:1], 48) == 1
    assert enlargement(boxes[:0], 48) == 1


@given(st.floats(1, 200), st.floats(1, 200))
def test_a_face_is_enlarged_enough_whatever_its_roll(width: float, height: float) -> None:
    times = enlargement(np.array([[5, 7, 5 + width, 7 + height]]), 48)
    upright = max(width / FRAME_WIDTH_SHARE, height / FRAME_HEIGHT_SHARE)
    turned = np.hypot(width, height) / np.hypot(FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE)
    assert times * min(upright, turned) > 47.99


def test_landmarks_far_outside_the_image_give_a_crop() -> None:
    landmarks = ARCFACE_TEMPLATE * 30 + 9000
    assert arcface_crop(read(ASTRONAUT_FILE), landmarks).shape == (112, 112, 3)


def test_the_frame_is_the_square_in_which_fer_2013_has_a_face() -> None:
    """A box of the stated shares of a frame gives back that frame."""
    frame = np.asarray(cv2.cvtColor(read(ASTRONAUT_FILE)[40:200, 150:310], cv2.COLOR_RGB2GRAY))
    width, height = 0.785 * 160, 1.01 * 160
    centre = 150 + 80, 40 + 80
    box = np.array(
        [
            centre[0] - width / 2,
            centre[1] - height / 2,
            centre[0] + width / 2,
            centre[1] + height / 2,
        ]
    )
    wanted = cv2.resize(frame, (48, 48), interpolation=cv2.INTER_AREA)
    assert np.array_equal(fer_crop(read(ASTRONAUT_FILE), box), wanted)


@given(*[st.floats(-300, 900)] * 2, *[st.floats(0, 900)] * 2, st.floats(-180, 180))
def test_any_box_and_roll_give_a_crop(
    x: float, y: float, width: float, height: float, roll: float
) -> None:
    box = np.array([x, y, x + width, y + height])
    for each in (box, np.clip(box, 0, 512)):
        assert fer_crop(IMAGE, each, roll).shape == (48, 48)


IMAGE: U8 = read(ASTRONAUT_FILE)
# The box of the astronaut's face, with the shares of FER-2013.
HALF = np.array([FRAME_WIDTH_SHARE, FRAME_HEIGHT_SHARE]) * 60
MIDDLE = np.array([226.0, 118.0])
FACE = np.concatenate([MIDDLE - HALF, MIDDLE + HALF])


def turned(roll: float, factor: float = 1.0) -> tuple[U8, Array]:
    """The astronaut's photograph, turned clockwise around her face, and the box of the face."""
    side = round(factor * len(IMAGE))
    matrix = cv2.getRotationMatrix2D((0, 0), -roll, factor)
    matrix[:, 2] = side / 2 - matrix[:, :2] @ (MIDDLE - 0.5) - 0.5
    image = cv2.warpAffine(
        IMAGE, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    turn = np.radians(roll)
    (a, b), cos, sin = HALF * factor, np.cos(turn), np.sin(turn)
    half = np.array([np.hypot(a * cos, b * sin), np.hypot(a * sin, b * cos)])
    return np.asarray(image, np.uint8), np.concatenate([side / 2 - half, side / 2 + half])


@given(st.floats(IGNORED_ROLL, 180, exclude_min=True), st.sampled_from([-1, 1]))
def test_a_turned_face_is_upright_in_its_crop(angle: float, sign: int) -> None:
    roll = sign * angle
    found = fer_crop(*turned(roll), roll)
    assert np.abs(found.astype(int) - fer_crop(IMAGE, FACE)).mean() < 1


@pytest.mark.parametrize("roll", [-60.0, 40.0, 180.0])
@pytest.mark.parametrize("factor", [2, 3.5])
def test_a_larger_turned_face_gives_the_same_crop(roll: float, factor: float) -> None:
    found = fer_crop(*turned(roll, factor), roll)
    assert np.abs(found.astype(int) - fer_crop(IMAGE, FACE)).mean() < 1


@given(st.floats(-IGNORED_ROLL, IGNORED_ROLL))
def test_a_small_roll_is_not_followed(roll: float) -> None:
    assert np.array_equal(fer_crop(IMAGE, FACE, roll), fer_crop(IMAGE, FACE))


@pytest.mark.parametrize("roll", [0.0, 60.0, 180.0])
def test_the_border_is_repeated(roll: float) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50] = 255
    assert (fer_crop(image, np.array([0, 0, 20, 20]), roll) == 255).all()


def test_the_box_of_a_face_gives_the_face() -> None:
    crop = fer_crop(IMAGE, np.array(ASTRONAUT_BOX))
    assert 40 < crop.std() < 90


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e9])
def test_landmarks_without_a_scale_give_a_crop(spread: float) -> None:
    image = np.full((40, 60, 3), 7, np.uint8)
    landmarks = 20 + spread * ARCFACE_TEMPLATE
    assert arcface_crop(image, landmarks).shape == (112, 112, 3)


@pytest.mark.parametrize("shape", [(6000, 1, 3), (1, 6000, 3), (5000, 40, 3)])
def test_a_box_along_a_narrow_image_takes_little_memory(shape: tuple[int, int, int]) -> None:
    """A square around it has thousands of times the pixels of the image."""
    image = np.full(shape, 90, np.uint8)
    box = np.array([0, 0, shape[1], shape[0]], np.float32)
    tracemalloc.start()
    crop = fer_crop(image, box)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (crop == 90).all()
    assert peak < 20 * image.nbytes
