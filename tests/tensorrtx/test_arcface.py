"""ArcFace against the outputs of the upstream networks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tensorrtx import arcface
from tensorrtx.weights import Weights
from tests.data.seeded_weights import seeded
from tests.tensorrtx import golden
from tests.tensorrtx.golden import Session


@pytest.mark.parametrize("network", ["r50", "r100"])
def test_raw_equals_upstream_in_a_batch_and_alone(network: arcface.Name) -> None:
    expected = golden.load(f"arcface_{network}")
    session = Session(arcface.build(golden.seeded_weights(expected), network, raw=True))
    crops = golden.planes((expected["crops_rgb"] - np.float32(127.5)) / np.float32(128))
    (together,) = session(crops)
    assert golden.relative(together, expected["embedding"]) < 1e-4
    alone = np.concatenate([session(crops[i : i + 1])[0] for i in range(len(crops))])
    assert golden.relative(alone, expected["embedding"]) < 1e-4


class MadeUp(Weights):
    """Has every tensor that a network takes."""

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return seeded(name, shape, prelu="relu" in name)


def test_mobilefacenet_gives_unit_vectors_alone_as_in_a_batch() -> None:
    session = Session(arcface.build(MadeUp({}, "made up"), "mobilefacenet"))
    crops = golden.load("arcface_mobilefacenet")["crops_rgb"]
    (together,) = session(crops)
    assert together.shape == (3, 128)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    for i in range(len(crops)):
        np.testing.assert_array_equal(session(crops[i : i + 1])[0][0], together[i])


@pytest.mark.parametrize("scale", [128.0, 127.5])
def test_deployed_normalises_pixels_and_embedding(scale: float) -> None:
    raw = Session(arcface.build(MadeUp({}, "made up"), "mobilefacenet", raw=True))
    deployed = Session(arcface.build(MadeUp({}, "made up"), "mobilefacenet", scale=scale))
    crops = golden.load("arcface_r50")["crops_rgb"]
    (expected,) = raw(golden.planes((crops - np.float32(127.5)) / np.float32(scale)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert golden.relative(deployed(crops)[0], expected) < 1e-4


@pytest.mark.parametrize("network", ["mobilefacenet", pytest.param("r50", marks=pytest.mark.slow)])
def test_mirrored_sums_a_face_and_its_mirror_image(network: arcface.Name) -> None:
    raw = Session(arcface.build(MadeUp({}, "made up"), network, raw=True))
    both = Session(arcface.build(MadeUp({}, "made up"), network, mirror=True))
    crops = golden.load("arcface_r50")["crops_rgb"]
    planes = golden.planes((crops - np.float32(127.5)) / np.float32(128))
    expected = raw(planes)[0] + raw(np.ascontiguousarray(planes[..., ::-1]))[0]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    (together,) = both(crops)
    assert golden.relative(together, expected) < 1e-4
    assert golden.relative(both(crops[:, :, ::-1])[0], expected) < 1e-4, "either way round"
    for i in range(len(crops)):
        np.testing.assert_array_equal(both(crops[i : i + 1])[0][0], together[i])


class Silent(MadeUp):
    """Weights whose last layer gives zeros."""

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return super().take(name, shape) * (name not in {"fc1_gamma", "fc1_beta"})


def test_an_embedding_of_nothing_is_zero() -> None:
    session = Session(arcface.build(Silent({}, "silent"), "mobilefacenet"))
    np.testing.assert_array_equal(session(np.zeros((1, 112, 112, 3), np.uint8))[0], 0)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_other_scales_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        arcface.build(MadeUp({}, "made up"), "mobilefacenet", scale=scale)
