"""Faces pasted turned into a plain picture, and the tables of the model card."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.crops import fer_crop
from analysis.evaluation.fer2013 import Split
from engines.types import U8, Array
from tests.photographs import ASTRONAUT_FILE, read
from training.emotion.turned import ellipse_box, face_rows, pasted, table

FACE = fer_crop(read(ASTRONAUT_FILE), np.array([178.0, 59.0, 273.0, 177.0]))


@given(st.floats(-180, 180))
def test_the_crop_of_a_pasted_face_is_the_face(roll: float) -> None:
    # Small rolls are not followed.
    shown = roll if abs(roll) > 15 else 0.0
    crop = fer_crop(*pasted(FACE, shown), shown)
    assert np.abs(crop.astype(int) - FACE).mean() < 5


@given(st.floats(1, 99), st.floats(1, 99), st.floats(-180, 180))
def test_the_box_of_a_turned_ellipse_holds_its_points(a: float, b: float, roll: float) -> None:
    steps, turn = np.linspace(0, 2 * np.pi, 999), np.radians(roll)
    x, y = a * np.cos(steps), b * np.sin(steps)
    points = [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]
    assert np.abs(points).max(axis=1) == pytest.approx(ellipse_box(a, b, roll), rel=1e-3)


def bright_above(crops: U8) -> Array:
    """Two scores per crop: of a bright upper half, and of a bright lower half."""
    return np.stack([crops[:, :24].mean(axis=(1, 2)), crops[:, 24:].mean(axis=(1, 2))], axis=1)


def test_the_table_shows_what_following_the_roll_gains() -> None:
    face = np.full((48, 48), 40, np.uint8)
    face[:24] = 200
    faces = Split(np.stack([face, face]), np.zeros(2, np.int64))
    lines = table(("by", "ignored", "followed"), face_rows(bright_above, faces)).splitlines()
    assert lines[0] == "| by | ignored | followed |"
    assert lines[2] == "| 0° | 100.0% | 100.0% |"
    assert lines[-1] == "| 180° | 0.0% | 100.0% |"
