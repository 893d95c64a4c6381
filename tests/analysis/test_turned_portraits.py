"""Portraits that are turned in the image keep their emotion: the whole pipeline."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.networks import Networks
from analysis.pose import rolls
from analysis.types import Analysis, Options, Orientation
from engines.types import U8
from tests.analysis.pictures import faces, networks, shipped
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, group, read


@pytest.fixture(scope="module")
def found_by(plans: Path) -> Iterator[Networks]:
    with networks(shipped(plans)) as opened:
        yield opened


def turned(file: Path, angle: float) -> U8:
    """The photograph turned clockwise, on grey."""
    upright = Image.open(file).convert("RGB")
    grey = (127, 127, 127)
    return np.asarray(upright.rotate(-angle, Image.Resampling.BICUBIC, True, fillcolor=grey))


PORTRAITS = pytest.mark.parametrize("file", [ASTRONAUT_FILE, HOPPER_FILE])


@PORTRAITS
@pytest.mark.parametrize("angle", [*range(-60, 61, 15), -90, 90, 180])
@pytest.mark.parametrize("orientation", ["exif", "auto"])
def test_a_turned_portrait_has_the_emotion_of_the_upright_one(
    found_by: Networks, file: Path, angle: int, orientation: Orientation
) -> None:
    options = Options(orientation=orientation)
    upright, tilted = (surest(faces(found_by, turned(file, each), options)) for each in (0, angle))
    assert tilted[0] == upright[0]
    assert abs((tilted[1] - upright[1] - angle + 180) % 360 - 180) < 15


PHOTOGRAPHS = {
    "astronaut": read(ASTRONAUT_FILE),
    "hopper": read(HOPPER_FILE),
    # Lying, its face is also found as an upright one, with a score of 0.84.
    "hopper, compressed": read(io.BytesIO(encode(read(HOPPER_FILE), "JPEG", quality=75))),
    "small faces": group(5, 3, 160)[0],
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_auto_says_how_to_turn_a_photograph_that_lies_or_stands_on_its_head(
    found_by: Networks, name: str, quarters: int
) -> None:
    # `np.rot90` turns counter-clockwise, and `turned` is the way back, clockwise.
    image = np.ascontiguousarray(np.rot90(PHOTOGRAPHS[name], quarters))
    assert faces(found_by, image, Options(orientation="auto")).turned == 90 * quarters


def surest(found: Analysis) -> tuple[int, float]:
    """The emotion of the face with the highest score, and its roll in degrees."""
    best = found.faces.scores.argmax()
    return int(found.scores[best].argmax()), float(rolls(found.faces.landmarks)[best])
