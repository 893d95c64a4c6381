"""Passes over small faces, turned images and tiles, with a detector without weights.

A face is a white square of at least 20 pixels of the input; its red side is the top of the head.
"""

import math

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.analyze import analyze
from analysis.coverage import FOUND
from analysis.errors import MinFaceError
from analysis.limits import ImageLimits
from analysis.networks import Networks
from analysis.types import Analysis, Input, MinFace, Options
from engines.types import U8, Array, Feeds
from tests.analysis.fakes import FakeRunner, Recorder
from tests.photographs import encode, iou

MOST = 20  # candidates
LANDMARKS = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]])


class SquareDetector(FakeRunner):
    """Finds the white squares, if it is the detector."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        outputs = super().infer(feeds)
        if self._task != "detector":
            return outputs
        rows = [squares(image) for image in feeds["images"]]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def squares(image: U8) -> dict[str, Array]:
    row = {
        "scores": np.zeros(MOST, np.float32),
        "boxes": np.zeros((MOST, 4), np.float32),
        "landmarks": np.zeros((MOST, 5, 2), np.float32),
    }
    bright = (image[..., 0] > 180).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
    faces = [i for i in range(1, len(stats)) if min(stats[i, 2:4]) >= 19]
    for place, i in enumerate(faces[:MOST]):
        x, y, width, height = stats[i, :4]
        part = image[y : y + height, x : x + width]
        red = np.argwhere(part[..., 1] < 100)
        down = np.array([width, height]) / 2 - red.mean(axis=0)[::-1] if len(red) else (0, 1)
        turn = math.atan2(-down[0], down[1])
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        row["scores"][place] = 0.97
        row["boxes"][place] = (x, y, x + width, y + height)
        middle = (x + width / 2, y + height / 2)
        row["landmarks"][place] = LANDMARKS * width @ matrix.T + middle
    return row


def picture(width: int, height: int, *faces: tuple[int, int, int]) -> U8:
    """A dark picture with faces: left, top and side."""
    image = np.full((height, width, 3), 40, np.uint8)
    for left, top, side in faces:
        image[top : top + side, left : left + side] = 255
        image[top : top + side // 5, left : left + side, 1:] = 0
    return image


def networks(images: int = 1) -> Networks:
    return Recorder(boxes=()).networks(images=images, kind=SquareDetector)


def look(image: U8, options: Options, images: int = 1) -> Analysis:
    (result,) = analyze([Input(image, options)], networks(images))
    return result.unwrap()


@pytest.mark.parametrize(
    ("size", "side", "min_face", "found"),
    [
        ((1920, 1080), 42, "fast", 0),
        ((1920, 1080), 42, "auto", 1),
        ((1920, 1080), 21, "auto", 0),
        ((1920, 1080), 21, 20, 1),
        ((3840, 2160), 84, "fast", 0),
        ((3840, 2160), 84, "auto", 1),
        ((3840, 2160), 42, 40, 1),
        ((3840, 2160), 42, 80, 0),
        ((8000, 1000), 42, "fast", 0),
        ((8000, 1000), 42, "auto", 1),
        ((1000, 8000), 42, "auto", 1),
        ((300, 200), 11, 10, 1),
    ],
)
@pytest.mark.parametrize("images", [1, 4])
def test_min_face_decides_how_small_faces_are_found(
    size: tuple[int, int], side: int, min_face: MinFace, found: int, images: int
) -> None:
    left, top = size[0] * 3 // 5, size[1] // 3
    faces = look(picture(*size, (left, top, side)), Options(min_face=min_face), images).faces
    assert len(faces.boxes) == found
    for box in faces.boxes:
        assert iou(box.tolist(), (left, top, left + side, top + side)) > 0.8


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_faces_of_all_sizes_are_found_once_wherever_they_are(data: st.DataObject) -> None:
    """Also where tiles meet."""
    side = data.draw(st.integers(45, 1400))
    left, top = (data.draw(st.integers(0, length - side)) for length in (3840, 2160))
    faces = look(picture(3840, 2160, (left, top, side)), Options(min_face=40)).faces
    (box,) = faces.boxes
    assert iou(box.tolist(), (left, top, left + side, top + side)) > 0.7


def test_an_image_that_needs_too_many_tiles_does_not_fail_the_others() -> None:
    small, large = picture(640, 480, (100, 100, 50)), picture(7680, 1080)
    inputs = [Input(small, Options()), Input(large, Options(min_face=8)), Input(small, Options())]
    first, second, third = (each.outcome for each in analyze(inputs, networks()))
    assert isinstance(second, MinFaceError)
    for outcome in (first, third):
        assert isinstance(outcome, Analysis)
        assert len(outcome.faces.boxes) == 1


@pytest.mark.parametrize("width", [1000, 4000])
def test_tiles_are_as_fine_as_the_pixels_that_the_limit_leaves(width: int) -> None:
    """The JPEG is decoded at a quarter of its size, and enlarged twice."""
    recorder = Recorder(boxes=())
    limited = recorder.networks(kind=SquareDetector)
    limits = ImageLimits(max_bytes=1 << 24, max_pixels=width * 1000 // 4)
    limited.rules = msgspec.structs.replace(limited.rules, limits=limits)
    data = encode(picture(width, 4000, (width // 2, 2200, 80)), "JPEG")
    (result,) = analyze([Input(data, Options(min_face=int(FOUND)))], limited)
    (box,) = result.unwrap().faces.boxes
    assert iou(box.tolist(), (width // 2, 2200, width // 2 + 80, 2280)) > 0.8
    _, *parts = recorder.rows["detector"]
    assert len(parts) == (2 if width == 1000 else 4)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("keep", [False, True])
def test_auto_finds_how_the_image_is_turned(quarters: int, keep: bool) -> None:
    upright = picture(1920, 1080, (500, 300, 60), (1200, 700, 100))
    image = np.ascontiguousarray(np.rot90(upright, quarters))
    seen = look(image, Options(orientation="auto", keep_image=keep))
    # `np.rot90` turns counter-clockwise, and `turned` is the way back, clockwise.
    assert seen.turned == 90 * quarters
    assert (seen.height, seen.width) == image.shape[:2]
    plain = look(image, Options())
    assert plain.turned == 0
    for one, other in zip(plain.faces, seen.faces, strict=True):
        assert np.allclose(one, other, atol=1.5)
    if keep:
        assert seen.image is not None
        assert np.array_equal(seen.image, image)


def test_the_crop_of_a_turned_face_is_upright() -> None:
    """Its red top is dark in the green channel; the crop is grey."""
    for quarters in range(4):
        recorder = Recorder(boxes=())
        image = np.ascontiguousarray(np.rot90(picture(640, 640, (200, 240, 90)), quarters))
        analyze([Input(image, Options())], recorder.networks(kind=SquareDetector))
        (crop,) = recorder.crops()
        assert crop[2:12, 16:32].mean() < crop[28:44, 16:32].mean() - 20


def test_one_pass_is_enough_if_a_face_is_upright() -> None:
    counts, images = {}, {"upright": picture(640, 480, (100, 100, 60)), "none": picture(640, 480)}
    for name, image in images.items():
        recorder = Recorder(boxes=())
        options = Options(orientation="auto")
        analyze([Input(image, options)], recorder.networks(kind=SquareDetector))
        counts[name] = len(recorder.rows["detector"])
    assert counts == {"upright": 1, "none": 4}


def test_a_quality_below_the_minimum_leaves_a_face_out() -> None:
    image = picture(640, 480, (100, 100, 60), (300, 100, 120))
    every = look(image, Options(embeddings=True))
    assert len(every.qualities) == 2
    least = float(every.qualities.max())
    some = look(image, Options(embeddings=True, min_quality=least))
    kept = every.qualities >= least
    assert np.array_equal(some.qualities, every.qualities[kept])
    assert np.array_equal(some.faces.boxes, every.faces.boxes[kept])
    assert some.embeddings is not None
    assert len(some.embeddings) == len(some.scores) == kept.sum()
    none = look(image, Options(min_quality=1.0))
    assert len(none.faces.boxes) == len(none.scores) == (every.qualities >= 1).sum()
