"""The pose of a head: projections of the model, and real faces."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.pose import MODEL, poses, rolls
from engines.types import F64, Array
from tests.analysis.pictures import faces, networks, shipped
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, read

# In the mirror image, the left eye and corner of the mouth are the right ones.
MIRRORED = [1, 0, 2, 4, 3]
# By eye: pupils, tip of the nose, corners of the mouth.
ASTRONAUT = np.array(
    [[203.5, 101.0], [246.5, 103.3], [223.5, 128.0], [202.7, 139.5], [244.5, 141.3]]
)
HOPPER = np.array([[222.0, 190.0], [304.5, 186.0], [266.5, 236.0], [228.5, 280.5], [307.0, 278.5]])
yaws, pitches, any_roll = st.floats(-60, 60), st.floats(-40, 40), st.floats(-180, 180)
scales, shifts = st.floats(0.1, 2000), st.floats(-5000, 5000)
coordinates = st.floats(-2000, 2000, width=32)
some_faces = arrays(np.float32, st.integers(1, 6).map(lambda k: (k, 5, 2)), elements=coordinates)


def turn(points: Array, degrees: float) -> F64:
    """Turn points (..., 2) clockwise in the image."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack(
        [cos * points[..., 0] - sin * points[..., 1], sin * points[..., 0] + cos * points[..., 1]],
        axis=-1,
    )


def projected(yaw: float, pitch: float, roll: float) -> F64:
    """The landmarks (5, 2) of the model's head, seen from far away."""
    x, y, depth = MODEL.T
    sideways = turn(np.stack([depth, x], axis=-1), yaw)  # the nose moves to the right
    depth, x = sideways.T
    upwards = turn(np.stack([y, depth], axis=-1), pitch)  # the nose moves up
    return turn(np.stack([x, upwards[:, 0]], axis=-1), roll)


def pose(points: Array) -> Array:
    (angles,) = poses(points[None])
    return np.asarray(angles)


def apart(one: Array, other: Array | list[float]) -> Array:
    """The differences of angles, from -180 to 180 degrees."""
    return np.asarray((np.asarray(one, np.float64) - other + 180) % 360 - 180)


@given(yaws, pitches, any_roll, scales, st.tuples(shifts, shifts))
def test_the_pose_of_a_projected_model_is_recovered(
    yaw: float, pitch: float, roll: float, scale: float, shift: tuple[float, float]
) -> None:
    found = pose(scale * projected(yaw, pitch, roll) + shift)
    assert np.abs(apart(found, [yaw, pitch, roll])).max() < 0.01


@given(yaws, pitches, any_roll, st.integers(0, 99))
def test_noise_of_two_percent_of_the_face_changes_angles_little(
    yaw: float, pitch: float, roll: float, seed: int
) -> None:
    noise = np.random.default_rng(seed).uniform(-0.02, 0.02, (5, 2))
    found = pose(projected(yaw, pitch, roll) + noise)
    assert np.abs(apart(found, [yaw, pitch, roll])).max() < 9


@given(yaws, pitches, any_roll, st.integers(0, 99))
def test_mirroring_flips_yaw_and_roll(yaw: float, pitch: float, roll: float, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-0.05, 0.05, (5, 2))
    points = projected(yaw, pitch, roll) + noise
    mirrored = points[MIRRORED] * [-1, 1]
    assert np.abs(apart(pose(mirrored), pose(points) * [-1, 1, -1])).max() < 0.01


@given(yaws, pitches, any_roll, any_roll)
def test_turning_the_image_turns_the_roll_alone(
    yaw: float, pitch: float, roll: float, more: float
) -> None:
    points = projected(yaw, pitch, roll)
    wanted = pose(points) + np.array([0, 0, more])
    assert np.abs(apart(pose(turn(points, more)), wanted)).max() < 0.01


@given(some_faces)
def test_the_roll_is_that_of_the_pose(points: Array) -> None:
    assert np.array_equal(rolls(points), poses(points)[:, 2])


@given(some_faces)
def test_a_face_has_the_same_pose_alone_as_among_others(points: Array) -> None:
    for together, alone in zip(poses(points), points, strict=True):
        assert together.tobytes() == pose(alone).tobytes()


@given(arrays(np.float32, (3, 5, 2), elements=st.floats(width=32)))
def test_any_landmarks_have_finite_angles(points: Array) -> None:
    angles = poses(points)
    assert angles.dtype == np.float32
    assert np.isfinite(angles).all()
    assert (np.abs(angles) <= [90, 90, 180]).all()


@pytest.mark.parametrize("place", [0.0, 0.1, 12345.6, float("nan"), float("inf")])
def test_landmarks_on_one_point_look_straight_ahead(place: float) -> None:
    assert np.array_equal(poses(np.full((2, 5, 2), place, np.float32)), np.zeros((2, 3)))


def test_no_faces_have_no_poses() -> None:
    assert poses(np.zeros((0, 5, 2), np.float32)).shape == (0, 3)
    assert rolls(np.zeros((0, 5, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize(
    ("landmarks", "yaw", "pitch", "roll"),
    # The astronaut faces the camera with her head a little aside, and the admiral stands upright.
    [(ASTRONAUT, (-8, 8), (-15, 5), (0, 5)), (HOPPER, (-8, 8), (-5, 15), (-6, 0))],
)
def test_portraits_that_face_the_camera_have_small_angles(
    landmarks: Array, yaw: tuple[int, int], pitch: tuple[int, int], roll: tuple[int, int]
) -> None:
    for angle, (low, high) in zip(pose(landmarks), (yaw, pitch, roll), strict=True):
        assert low < angle < high


@pytest.mark.parametrize("file", [ASTRONAUT_FILE, HOPPER_FILE])
def test_the_mirror_image_of_a_portrait_has_the_mirrored_pose(plans: Path, file: Path) -> None:
    photograph = read(file)
    with networks(shipped(plans)) as found_by:
        angles, mirrored = (
            poses(faces(found_by, np.ascontiguousarray(image)).faces.landmarks)
            for image in (photograph, photograph[:, ::-1])
        )
    assert mirrored * [-1, 1, -1] == pytest.approx(angles, abs=6)
    assert np.abs(angles).max() < 20
