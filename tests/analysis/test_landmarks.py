"""Landmarks placed by their network, on real faces and as part of an analysis."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.landmarks import SIDE, TEMPLATE, Locate, eyes, place_landmarks, settled
from analysis.pose import rolls
from engines.backends.onnxruntime import session
from engines.types import F32, U8, Array
from tests.analysis.pictures import faces, networks, shipped
from tests.photographs import ASTRONAUT_FILE, read
from tests.training.graphs import multiply_adds

NETWORK = Path(__file__).parents[2] / "engines" / "models" / "landmarks-64.onnx"
SESSION = session(NETWORK)
ASTRONAUT = read(ASTRONAUT_FILE)
# Marked by hand on the photograph: pupils, tip of the nose, corners of the mouth.
MARKED = np.array([[203.5, 101.0], [246.5, 103.3], [223.5, 128.0], [202.7, 139.5], [244.5, 141.3]])
APART = 43.0  # of the eyes


def locate(crops: U8) -> Array:
    (offsets,) = SESSION.run(None, {"faces": crops})
    return np.asarray(offsets)


def place(guesses: Array, image: U8 = ASTRONAUT, network: Locate = locate) -> F32:
    (points,) = place_landmarks(network, [image], [guesses])
    return points


def error(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - MARKED, axis=1).mean() / APART)


@settings(max_examples=20, deadline=None)
@given(
    shift=st.tuples(st.floats(-0.12, 0.12), st.floats(-0.12, 0.12)),
    zoom=st.floats(0.9, 1.1),
    seed=st.integers(0, 99),
)
def test_landmarks_are_placed_from_any_guess_near_the_face(
    shift: tuple[float, float], zoom: float, seed: int
) -> None:
    scatter = np.random.default_rng(seed).normal(0, 0.06, (5, 2))
    guess = (MARKED - MARKED.mean(0)) * zoom + MARKED.mean(0) + APART * (np.array(shift) + scatter)
    (points,) = place(guess[None].astype(np.float32))
    assert error(points) < 0.09


def test_a_turned_image_gets_turned_landmarks() -> None:
    guess = MARKED.astype(np.float32)
    (upright,) = place(guess[None])
    side = len(ASTRONAUT)
    turned = np.ascontiguousarray(np.rot90(ASTRONAUT))  # x, y to y, side - x
    corner = np.stack([guess[:, 1], side - guess[:, 0]], 1)
    (points,) = place(corner[None], turned)
    assert points == pytest.approx(np.stack([upright[:, 1], side - upright[:, 0]], 1), abs=0.6)


def test_the_guess_is_kept_for_a_face_that_is_too_small() -> None:
    tiny = (TEMPLATE / SIDE * 3 + 100).astype(np.float32)
    assert eyes(tiny) < 2
    assert np.array_equal(place(tiny[None])[0], tiny)


def steady(share: float) -> Locate:
    """A network that moves all landmarks by a share of the distance between the eyes."""
    moved = np.array([share * eyes(TEMPLATE), 0])
    return lambda crops: np.tile(moved, (len(crops), 5, 1))


def test_landmarks_that_move_are_placed_again_and_those_that_move_far_are_rejected() -> None:
    guess = (2 * TEMPLATE + 100).astype(np.float32)
    for share, moved in ((0.09, 0.09), (0.24, 0.48), (0.26, 0.0)):
        (points,) = place(guess[None], network=steady(share))
        wanted = np.tile([2 * moved * eyes(TEMPLATE), 0], (5, 1))
        assert points - guess == pytest.approx(wanted, abs=0.1)


def test_faces_of_all_images_share_each_call_of_the_network() -> None:
    """Only landmarks that moved are placed a second time, all in one call."""
    shapes: list[tuple[int, ...]] = []

    def network(crops: U8) -> Array:
        shapes.append(crops.shape)
        far = crops[:, 0, 0, 0] > 0
        return np.tile(np.array([eyes(TEMPLATE), 0]), (len(crops), 5, 1)) * 0.2 * far[:, None, None]

    guess = (2 * TEMPLATE + 100).astype(np.float32)
    images = [np.full((300, 300, 3), value, np.uint8) for value in (0, 9, 0, 9)]
    found = place_landmarks(
        network, images, [guess[None], np.stack([guess] * 2), guess[None][:0], guess[None]]
    )
    assert [len(points) for points in found] == [1, 2, 0, 1]
    assert shapes == [(4, SIDE, SIDE, 3), (3, SIDE, SIDE, 3)]


@settings(max_examples=60, deadline=None)
@given(
    points=arrays(np.float32, (1, 5, 2), elements=st.floats(-1e4, 1e4, width=32)),
    kind=st.sampled_from(["any", "mirrored", "point", "line", "nan"]),
)
def test_any_guess_gives_landmarks(points: Array, kind: str) -> None:
    match kind:
        case "mirrored":
            points = (MARKED * [-1, 1]).astype(np.float32) + points[:, :1]
        case "point":
            points = np.repeat(points[:, :1], 5, 1)
        case "line":
            points = points[:, :1] * np.linspace(0, 1, 5, dtype=np.float32)[:, None]
        case "nan":
            points = points * np.nan
    found = place(points)
    assert found.shape == points.shape
    assert np.isfinite(found).all() or kind == "nan"
    if kind in {"point", "nan"}:
        assert np.array_equal(found, points, equal_nan=True)


def test_no_faces_give_no_landmarks() -> None:
    assert place(np.empty((0, 5, 2), np.float32)).shape == (0, 5, 2)


def test_an_analysis_places_landmarks_where_there_is_a_network(plans: Path) -> None:
    with (
        networks(shipped(plans)) as placing,
        networks(shipped(plans, landmarks=False)) as detecting,
    ):
        (placed_points,) = faces(placing, ASTRONAUT).faces.landmarks
        (raw,) = faces(detecting, ASTRONAUT).faces.landmarks
    assert error(placed_points) < error(raw)
    assert error(placed_points) < 0.05


def test_the_network_is_small_enough_for_one_core() -> None:
    assert NETWORK.stat().st_size <= 2_000_000
    assert multiply_adds(onnx.load(NETWORK)) <= 27_000_000


@given(st.floats(0.3, 3), st.floats(-180, 180), st.floats(0, 1))
def test_landmarks_that_collapse_become_those_of_an_upright_face(
    scale: float, turn: float, share: float
) -> None:
    """The detector's landmarks are a mean of several orientations if it is unsure."""
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (TEMPLATE - TEMPLATE.mean(0)) @ matrix.T * scale
    side = eyes(points) / 0.37
    box = np.array([-side / 2, -side / 2, side / 2, side / 2])
    (found,) = settled(box[None], (share * points)[None])
    if share * 0.37 > 0.26:
        assert np.allclose(found, share * points, atol=1e-4)
    if share * 0.37 < 0.24:
        assert abs(rolls(found[None])[0]) < 1
        assert eyes(found) == pytest.approx(0.37 * side, rel=0.01)
        assert (np.abs(found) < side / 2).all()
