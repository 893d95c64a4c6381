"""RetinaFace against the upstream networks' outputs and against a plain decoder."""

from pathlib import Path

import numpy as np
import pytest

from engines.geometry import box_iou
from tensorrtx import retinaface
from tensorrtx import weights as weights_of
from tests.tensorrtx import golden
from tests.tensorrtx.golden import Array, Session


@pytest.mark.parametrize("backbone", ["mnet025", "r50"])
def test_raw_equals_upstream_in_a_batch_and_alone(backbone: retinaface.Backbone) -> None:
    expected = golden.load(f"retinaface_{backbone}")
    weights = golden.seeded_weights(expected)
    session = Session(retinaface.build(weights, backbone, (160, 160), raw=True))
    batch = golden.planes(expected["images_bgr"] - golden.MEAN_BGR)
    alone = [session(batch[i : i + 1]) for i in range(len(batch))]
    for index, name in enumerate(("loc", "conf", "landms")):
        assert golden.relative(session(batch)[index], expected[name]) < 1e-4
        parts = np.concatenate([outputs[index] for outputs in alone])
        assert golden.relative(parts, expected[name]) < 1e-4


@pytest.mark.parametrize(
    ("backbone", "size"),
    [("mnet025", (640, 640)), ("mnet025", (320, 480)), ("r50", (96, 64))],
)
def test_deployed_equals_decoding_the_raw_outputs(
    backbone: retinaface.Backbone, size: tuple[int, int]
) -> None:
    values = golden.load(f"retinaface_{backbone}")
    raw = Session(retinaface.build(golden.seeded_weights(values), backbone, size, raw=True))
    deployed = Session(retinaface.build(golden.seeded_weights(values), backbone, size))
    images = golden.pictures(*size)[[0, 5]]
    bgr = golden.planes(images[..., ::-1] - golden.MEAN_BGR)
    for got, dense in zip(
        zip(*deployed(images), strict=True), zip(*raw(bgr), strict=True), strict=True
    ):
        _check(got, decode(dense, *size))


def _check(got: tuple[Array, ...], dense: tuple[Array, Array, Array]) -> None:
    """The K best rows of ``dense``, whatever the order among equal scores."""
    scores, boxes, landmarks = got
    assert scores.shape == (min(1000, len(dense[0])),)
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_allclose(scores, np.sort(dense[0])[::-1][: len(scores)], atol=1e-5)
    chosen = np.flatnonzero(dense[0] >= scores[-1] - 1e-5)
    rows = chosen[np.abs(boxes[:, None] - dense[1][chosen]).max(axis=2).argmin(axis=1)]
    assert len(set(rows.tolist())) == len(rows)
    np.testing.assert_allclose(boxes, dense[1][rows], rtol=1e-4, atol=0.02)
    np.testing.assert_allclose(landmarks, dense[2][rows], rtol=1e-4, atol=0.02)
    np.testing.assert_allclose(scores, dense[0][rows], atol=1e-5)


def decode(outputs: tuple[Array, ...], height: int, width: int) -> tuple[Array, Array, Array]:
    """Decode as in the papers, in fractions of the image, anchor by anchor."""
    loc, conf, landms = outputs
    priors = np.array(
        [
            ((x + 0.5) * stride / width, (y + 0.5) * stride / height, side / width, side / height)
            for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
            for y in range(height // stride)
            for x in range(width // stride)
            for side in sides
        ]
    )
    unit = np.array([width, height])
    centre = priors[:, :2] + loc[:, :2] * 0.1 * priors[:, 2:]
    size = priors[:, 2:] * np.exp(loc[:, 2:] * 0.2)
    boxes = np.concatenate([(centre - size / 2) * unit, (centre + size / 2) * unit], axis=1)
    marks = priors[:, None, :2] + landms.reshape(-1, 5, 2) * 0.1 * priors[:, None, 2:]
    return conf[:, 1], boxes, marks * unit


def test_deployed_gives_the_same_alone_as_in_a_batch() -> None:
    weights = golden.seeded_weights(golden.load("retinaface_mnet025"))
    session = Session(retinaface.build(weights, "mnet025", (96, 128), candidates=50))
    images = golden.pictures(96, 128)
    together = session(images)
    for i in range(len(images)):
        for whole, alone in zip(together, session(images[i : i + 1]), strict=True):
            np.testing.assert_array_equal(whole[i], alone[0])


@pytest.mark.parametrize("size", [(640, 641), (0, 640), (16, 640), (-32, 64)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    weights = golden.seeded_weights(golden.load("retinaface_mnet025"))
    with pytest.raises(ValueError, match="positive multiples of 32"):
        retinaface.build(weights, "mnet025", size)


@pytest.mark.parametrize("candidates", [0, 3841])
def test_other_numbers_of_candidates_are_refused(candidates: int) -> None:
    weights = golden.seeded_weights(golden.load("retinaface_mnet025"))
    with pytest.raises(ValueError, match=r"must be in 1\.\.3840"):
        retinaface.build(weights, "mnet025", candidates=candidates)


@pytest.mark.parametrize(("backbone", "size"), [("mnet025", (640, 640)), ("r50", (128, 96))])
def test_a_free_height_gives_what_a_graph_of_that_height_gives(
    backbone: retinaface.Backbone, size: tuple[int, int]
) -> None:
    weights = golden.load(f"retinaface_{backbone}")

    def session(size: tuple[int, int], free: bool) -> Session:
        seeded = golden.seeded_weights(weights)
        return Session(retinaface.build(seeded, backbone, size, free_height=free, candidates=50))

    free, (full, width) = session(size, free=True), size
    images = golden.pictures(full, width)[[0, 5]]
    for height in (full, full // 64 * 32, 32):
        upper = np.ascontiguousarray(images[:, :height])
        alone = session((height, width), free=False)(upper)
        for got, expected in zip(free(upper), alone, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_every_height_has_at_least_as_many_anchors_as_candidates() -> None:
    assert retinaface.heights() == tuple(range(64, 641, 32))
    assert retinaface.heights((64, 64), candidates=3840) == (64,)
    assert retinaface.heights((320, 480), candidates=1) == tuple(range(32, 321, 32))
    weights = golden.seeded_weights(golden.load("retinaface_mnet025"))
    lowest = retinaface.heights((320, 96))[0]
    free = Session(retinaface.build(weights, "mnet025", (320, 96), free_height=True))
    scores = free(golden.pictures(lowest, 96))[0]
    assert scores.shape == (8, 1000)


@pytest.mark.parametrize("width", [640, 320])
def test_faces_are_found_without_the_padding_below(width: int) -> None:
    """Shipped weights on photographs: borders differ a little, as the network pads with zeros."""
    shipped = weights_of.load(Path(__file__).parents[2] / "engines/models/retinaface-mnet025.wts")
    free = Session(retinaface.build(shipped, "mnet025", free_height=True))
    for picture in golden.pictures(360, width)[[0, 1, 4, 5]]:
        padded = np.zeros((640, 640, 3), np.uint8) + np.array(retinaface.MEAN_RGB, np.uint8)
        padded[:360, :width] = picture
        whole, cut = ([row[0] for row in free(rows[None])] for rows in (padded, padded[:384]))
        assert whole[0][0] > 0.5
        at = int(np.argmin(np.abs(cut[1] - whole[1][0]).sum(axis=1)))
        assert box_iou(whole[1][0], cut[1][at : at + 1])[0] > 0.9
        assert abs(whole[0][0] - cut[0][at]) < 0.03
        assert np.abs(whole[2][0] - cut[2][at]).max() < 2
