import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.detector.degrade import degrade
from training.detector.paste import Placement, mask, paste, shared
from training.detector.pictures import Pictures
from training.detector.scenes import make_scene

PICTURES = Pictures(
    np.random.default_rng(0).integers(0, 256, (5, 250, 250, 3)).astype(np.uint8),
    np.random.default_rng(1).integers(0, 256, (5, 100, 100, 3)).astype(np.uint8),
)
PLACES = st.builds(
    Placement,
    st.tuples(st.floats(130, 190), st.floats(130, 190)),
    st.floats(40, 300),
    st.floats(-30, 30),
)


@settings(max_examples=40, deadline=None)
@given(index=st.integers(0, 2**31), size=st.sampled_from([64, 96, 160]))
def test_a_scene_is_a_function_of_its_number(index: int, size: int) -> None:
    scene, again = (make_scene(PICTURES, size, 3, index) for _ in range(2))
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8
    assert np.array_equal(scene.image, again.image)
    assert np.array_equal(scene.faces, again.faces)


@settings(max_examples=40, deadline=None)
@given(index=st.integers(0, 2**31))
def test_faces_in_view_lie_in_the_picture(index: int) -> None:
    faces = make_scene(PICTURES, 160, 0, index).faces
    for face in faces:
        assert shared(tuple(face), (0, 0, 160, 160)) >= 0.9 - 1e-5


def test_seeds_differ_and_some_scenes_are_empty() -> None:
    scenes = [make_scene(PICTURES, 64, 0, index) for index in range(60)]
    assert not np.array_equal(scenes[0].image, make_scene(PICTURES, 64, 1, 0).image)
    assert 0 < sum(not len(scene.faces) for scene in scenes) < 45


@settings(max_examples=60, deadline=None)
@given(where=PLACES, x=st.floats(0.35, 0.65), y=st.floats(0.35, 0.65))
def test_a_point_of_the_photograph_is_pasted_at_its_location(
    where: Placement, x: float, y: float
) -> None:
    rows, columns = np.mgrid[:100, :100]
    dot = 255 * np.exp(-((columns + 0.5 - 100 * x) ** 2 + (rows + 0.5 - 100 * y) ** 2) / 50)
    photo = np.repeat(dot[..., None], 3, 2).astype(np.uint8)
    scene = np.zeros((320, 320, 3), np.uint8)
    paste(scene, photo, where)
    weight = scene[..., 0].astype(float)
    rows, columns = np.mgrid[:320, :320] + 0.5
    centre = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    expected = where.locate(np.array([[x, y]]))[0]
    assert centre == pytest.approx(expected, abs=0.03 * where.side)


def test_a_photograph_outside_does_not_change_the_scene() -> None:
    scene = np.full((64, 64, 3), 7, np.uint8)
    paste(scene, PICTURES.faces[0], Placement((-300.0, 20.0), 100.0, 12.0))
    assert (scene == 7).all()


@pytest.mark.parametrize("kind", ["whole", "head"])
def test_a_mask_is_full_in_the_middle_and_nothing_at_the_border(kind: str) -> None:
    weight = mask(kind, 100)
    assert weight[50, 50] == 1
    assert max(weight[0].max(), weight[:, 0].max(), weight[-1].max(), weight[:, -1].max()) < 0.1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_degrading_keeps_shape_and_type(seed: int) -> None:
    image = degrade(PICTURES.backgrounds[0], np.random.default_rng(seed))
    assert image.shape == (100, 100, 3)
    assert image.dtype == np.uint8


def test_the_last_tenth_is_held_out() -> None:
    many = Pictures(np.arange(40).reshape(40, 1, 1, 1).astype(np.uint8), PICTURES.backgrounds)
    known, unknown = many.split()
    assert (len(known.faces), len(unknown.faces)) == (36, 4)
    assert unknown.faces.min() == 36
