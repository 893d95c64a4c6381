import numpy as np
import pytest

pytest.importorskip("torch", reason="torch lives in the environment for training")

from analysis.types import Detections
from training.detector.kinds import (
    LOWEST,
    Outcome,
    difference,
    equal_score,
    evaluate,
    judged,
    without_faces,
)
from training.detector.kinds_of_view import KINDS, LEAST, MOST, Kind, Picture, empty, pictures_of
from training.detector.pictures import Pictures

RNG = np.random.default_rng(0)
PICTURES = Pictures(
    RNG.integers(0, 256, (5, 250, 250, 3)).astype(np.uint8),
    RNG.integers(0, 256, (17, 100, 100, 3)).astype(np.uint8),
)
UPRIGHT = np.array([[30, 40], [50, 40], [40, 50], [33, 60], [47, 60]], np.float32)
BOX = np.array([[20, 20, 60, 70]], np.float32)


def found(score: float, points: np.ndarray = UPRIGHT, box: np.ndarray = BOX) -> Detections:
    return Detections(box, points[None], np.array([score], np.float32))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_pictures_of_a_kind_are_a_function_of_its_name(kind: Kind) -> None:
    pictures, again = (list(pictures_of(kind, PICTURES, 12, 320)) for _ in range(2))
    assert sum(len(each.boxes) for each in pictures) == 12
    for one, other in zip(pictures, again, strict=True):
        assert np.array_equal(one.image, other.image)
        assert len(one.boxes) == len(one.rolls) == len(one.people)
        assert (one.boxes[:, 2:] > one.boxes[:, :2]).all()


def test_the_kinds_keep_their_sizes_and_turns() -> None:
    plain = list(pictures_of(KINDS[0], PICTURES, 40, 640))
    heights = np.concatenate([each.boxes[:, 3] - each.boxes[:, 1] for each in plain])
    assert heights.min() >= LEAST - 1
    assert heights.max() <= MOST + 1
    for kind in (kind for kind in KINDS if any(kind.turn)):
        rolls = np.abs(
            np.concatenate([each.rolls for each in pictures_of(kind, PICTURES, 12, 320)])
        )
        assert rolls.min() >= kind.turn[0]
        assert rolls.max() <= kind.turn[1]


def test_every_photograph_is_used_before_any_is_used_again() -> None:
    people = [index for each in pictures_of(KINDS[0], PICTURES, 10, 320) for index in each.people]
    assert sorted(people[:5]) == sorted(people[5:]) == [0, 1, 2, 3, 4]


def test_pictures_without_a_face_have_the_size_of_their_kind() -> None:
    for kind in KINDS:
        shapes = {image.shape for image in empty(PICTURES, kind, 320)}
        assert (shapes == {(320, 320, 3)}) != kind.cut_out
    names = {name: len(images) for name, images in without_faces(PICTURES, 96 * 3)}
    assert names["plain"] == 17
    assert names["plain, mosaics"] == 1


@pytest.mark.parametrize(
    ("faces", "score", "follows"),
    [
        (found(0.9), 0.9, True),
        (found(0.4), 0.4, True),
        (found(0.9, UPRIGHT[::-1].copy()), 0.9, False),
        (found(0.9, box=BOX + 30), 0.0, False),
        (Detections(*(np.zeros(s, np.float32) for s in ((0, 4), (0, 5, 2), 0))), 0.0, False),
    ],
    ids=["found", "with a low score", "with turned landmarks", "elsewhere", "nothing"],
)
def test_a_face_is_found_where_it_is(faces: Detections, score: float, follows: bool) -> None:
    truth = Picture(np.zeros((96, 96, 3), np.uint8), BOX, np.zeros(1, np.float32), (7,))
    scores, turned, people = judged(faces, truth)
    assert scores.tolist() == pytest.approx([score])
    assert turned.tolist() == [follows]
    assert people.tolist() == [7]


def test_the_error_of_a_difference_counts_photographs_once() -> None:
    people = np.repeat(np.arange(4), 100)
    found_by = np.repeat([0.9, 0.9, 0.9, 0.0], 100)
    first = Outcome(found_by, np.ones(400, bool), people)
    second = Outcome(np.full(400, 0.9), np.ones(400, bool), people)
    assert difference(first, first) == (0, 0)
    apart, error = difference(first, second)
    assert apart == -25
    assert error == pytest.approx(100 * np.sqrt(3 * 0.25**2 + 0.75**2) / 4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_equal_score_leaves_as_many_false_faces(count: int) -> None:
    first = np.array([0.9, 0.8, 0.55, 0.4])
    second = np.full(count, 0.7)
    assert (first >= equal_score(first, second)).sum() == count


def test_few_false_faces_need_no_higher_score() -> None:
    assert equal_score(np.array([0.6]), np.array([0.9, 0.8])) == LOWEST


def test_detectors_are_compared_on_the_same_pictures() -> None:
    def blind(canvas: np.ndarray) -> dict[str, np.ndarray]:
        none = {"scores": (0,), "boxes": (0, 4), "landmarks": (0, 5, 2)}
        assert canvas.shape[1] == 320
        return {name: np.zeros(shape, np.float32) for name, shape in none.items()}

    outcomes = evaluate([blind, blind], pictures_of(KINDS[0], PICTURES, 6, 320), 320)
    assert [each.recall() for each in outcomes] == [0, 0]
    assert [len(each.people) for each in outcomes] == [6, 6]
