"""Portraits that are turned in the image keep their emotion: the whole pipeline."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.networks import Networks
from engines.types import U8
from tests.analysis.pictures import faces, networks, shipped
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE


@pytest.fixture(scope="module")
def found_by(plans: Path) -> Iterator[Networks]:
    with networks(shipped(plans)) as opened:
        yield opened


def turned(file: Path, angle: float) -> U8:
    """The photograph turned clockwise, on grey."""
    upright = Image.open(file).convert("RGB")
    grey = (127, 127, 127)
    return np.asarray(upright.rotate(-angle, Image.Resampling.BICUBIC, True, fillcolor=grey))


@pytest.mark.parametrize(
    ("file", "angle"),
    [
        *((ASTRONAUT_FILE, angle) for angle in range(-60, 61, 15)),
        *((HOPPER_FILE, angle) for angle in range(-30, 61, 15)),
    ],
)
def test_a_turned_portrait_has_the_emotion_of_the_upright_one(
    found_by: Networks, file: Path, angle: int
) -> None:
    # The first face is the largest one.
    upright, tilted = (faces(found_by, turned(file, each)).scores[0] for each in (0, angle))
    assert tilted.argmax() == upright.argmax()
