"""Parity: faces on one side only, outputs that cannot be compared, the faces of the probe."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest

from analysis.crops import ARCFACE_TEMPLATE, warped
from analysis.landmarks import TEMPLATE, frame
from engines import build, parity, weights
from engines.catalog import LANDMARK_SIDE, Catalog, ModelSpec, Precision
from engines.errors import ParityError
from engines.limits import allowed
from engines.network import graph
from engines.probe_inputs import probe
from engines.types import Array, Feeds, Runner

CATALOG = Catalog.load()
DETECTOR = CATALOG.get("retinaface-mnet025")
LANDMARKS = CATALOG.get("landmarks-64")
EMBEDDER = CATALOG.get("arcface-mobilefacenet")
SHIPPED = (DETECTOR, LANDMARKS, CATALOG.get("emotion-fer48"), EMBEDDER)
PRECISIONS = get_args(Precision)
Outputs = dict[str, Array]
Change = Callable[[Outputs], None]


class Changed(Runner):
    """Gives the reference's answers, changed by `change`."""

    def __init__(self, answers: dict[bytes, Outputs], change: Change | None = None) -> None:
        self._answers, self._change = answers, change

    def infer(self, feeds: Feeds) -> Outputs:
        (items,) = feeds.values()
        found = [self._answers[item.tobytes()] for item in items]
        outputs = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        if self._change:
            self._change(outputs)
        return outputs

    def __exit__(self, *error: object) -> None: ...


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[bytes, Outputs]]:
    """The reference's answer for each item of each network's probe."""
    return {spec.name: dict(recorded(spec)) for spec in SHIPPED}


def recorded(spec: ModelSpec) -> Iterator[tuple[bytes, Outputs]]:
    name = spec.input_name
    with build.reference(spec, graph(spec, weights.find(spec, Path("unused")))) as reference:
        for item in probe(spec):
            yield item.tobytes(), reference.infer({name: item[None]})


def check(
    spec: ModelSpec,
    answers: dict[str, dict[bytes, Outputs]],
    change: Change,
    precision: Precision = "int8",
) -> dict[str, float]:
    known = answers[spec.name]
    return parity.check(spec, Changed(known, change), Changed(known), precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("score", [0.7, 0.99])
def test_a_face_that_the_reference_does_not_see_is_a_failure(
    answers: dict[str, dict[bytes, Outputs]], precision: Precision, score: float
) -> None:
    def invent(outputs: Outputs) -> None:
        outputs["scores"][1, -1] = score
        outputs["boxes"][1, -1] = (8, 500, 120, 630)
        outputs["landmarks"][1, -1] = 560

    with pytest.raises(ParityError, match=precision):
        check(DETECTOR, answers, invent, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_face_that_only_the_reference_sees_is_a_failure(
    answers: dict[str, dict[bytes, Outputs]], precision: Precision
) -> None:
    def overlook(outputs: Outputs) -> None:
        outputs["scores"][2] = np.minimum(outputs["scores"][2], 0.1)

    with pytest.raises(ParityError, match=precision):
        check(DETECTOR, answers, overlook, precision)


def test_one_face_seen_twice_as_often_is_a_failure(
    answers: dict[str, dict[bytes, Outputs]],
) -> None:
    def repeat(outputs: Outputs) -> None:
        seen = np.flatnonzero(outputs["scores"][0] >= parity.FACE_SCORE)
        for values in outputs.values():
            values[0, -len(seen) :] = values[0, seen]

    with pytest.raises(ParityError, match="score"):
        check(DETECTOR, answers, repeat)


def test_anchors_near_the_least_score_may_fall_on_either_side(
    answers: dict[str, dict[bytes, Outputs]],
) -> None:
    flipped = []

    def flip(outputs: Outputs) -> None:
        near = np.abs(outputs["scores"] - parity.FACE_SCORE) < 0.06
        outputs["scores"][near] = 2 * parity.FACE_SCORE - outputs["scores"][near]
        flipped.append(near.sum())

    assert check(DETECTOR, answers, flip)["score"] > 0
    assert flipped[0] > 0


def test_the_order_of_anchors_does_not_matter(answers: dict[str, dict[bytes, Outputs]]) -> None:
    def reverse(outputs: Outputs) -> None:
        outputs.update({name: values[:, ::-1] for name, values in outputs.items()})

    assert check(DETECTOR, answers, reverse, "fp32") == {"iou": 1, "landmark": 0, "score": 0}


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.name)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_failures_in_every_output(
    answers: dict[str, dict[bytes, Outputs]], spec: ModelSpec, value: float
) -> None:
    for name in next(iter(answers[spec.name].values())):

        def spoil(outputs: Outputs, name: str = name) -> None:
            outputs[name][-1, ..., -1] = value

        with pytest.raises(ParityError, match=name):
            check(spec, answers, spoil)


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.name)
def test_missing_outputs_and_missing_rows_are_failures(
    answers: dict[str, dict[bytes, Outputs]], spec: ModelSpec
) -> None:
    for name in next(iter(answers[spec.name].values())):

        def leave_out(outputs: Outputs, name: str = name) -> None:
            del outputs[name]

        def answer_one(outputs: Outputs, name: str = name) -> None:  # which numpy would broadcast
            outputs[name] = outputs[name][:1]

        with pytest.raises(ParityError, match=f"does not give {name}"):
            check(spec, answers, leave_out)
        with pytest.raises(ParityError, match=rf"gives {name} \(1, "):
            check(spec, answers, answer_one)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_an_embedding_of_another_length_is_a_failure(
    answers: dict[str, dict[bytes, Outputs]], factor: float
) -> None:
    def stretch(outputs: Outputs) -> None:
        outputs["embedding"] *= factor

    with pytest.raises(ParityError, match="cosine"):
        check(EMBEDDER, answers, stretch)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_landmark_of_one_face_may_be_off_by_the_limit(
    answers: dict[str, dict[bytes, Outputs]], precision: Precision
) -> None:
    limit = allowed(LANDMARKS, precision)["landmark"]

    def move(share: float) -> Change:
        def change(outputs: Outputs) -> None:
            outputs["offsets"][5, 3] += np.array([0.6, -0.8]) * share * limit

        return change

    assert check(LANDMARKS, answers, move(0.9), precision)["landmark"] > 0.85 * limit
    with pytest.raises(ParityError, match="landmark"):
        check(LANDMARKS, answers, move(1.1), precision)


@pytest.mark.parametrize("spec", DETECTOR.larger, ids=lambda spec: spec.name)
def test_a_larger_probe_repeats_the_scene_in_its_own_size(spec: ModelSpec) -> None:
    scenes, side = probe(DETECTOR), spec.input_size[0]
    larger = probe(spec)
    assert larger.shape == (len(scenes), side, side, 3)
    rest = side - 640
    assert np.array_equal(larger[0, :640, :640], scenes[0])
    assert np.array_equal(larger[0, 640:, 640:], scenes[0, :rest, :rest])


def test_a_smaller_probe_has_the_whole_scene() -> None:
    small = msgspec.structs.replace(DETECTOR, options={"size": (320, 416)})
    assert probe(small).shape == (4, 320, 416, 3)
    assert np.abs(probe(small)[0].mean() - probe(DETECTOR)[0].mean()) < 1


def test_probe_faces_are_cut_like_those_of_the_service() -> None:
    crops = probe(EMBEDDER)
    expected = [warped(crop, frame(ARCFACE_TEMPLATE), LANDMARK_SIDE) for crop in crops]
    difference = np.stack(expected).astype(int) - probe(LANDMARKS)[: len(crops)]
    assert np.abs(difference).max() <= 1


def test_the_probe_has_faces_with_different_landmarks(
    answers: dict[str, dict[bytes, Outputs]],
) -> None:
    offsets = np.concatenate([one["offsets"] for one in answers[LANDMARKS.name].values()])
    points = TEMPLATE + offsets
    assert len(points) >= 16
    left, right, nose, *mouth = points.swapaxes(0, 1)
    assert (left[:, 0] + 10 < right[:, 0]).all()
    assert (nose[:, 1] > np.maximum(left[:, 1], right[:, 1])).all()
    assert all((corner[:, 1] > nose[:, 1]).all() for corner in mouth)
    assert np.ptp(points[:, 2], axis=0).min() > 5
