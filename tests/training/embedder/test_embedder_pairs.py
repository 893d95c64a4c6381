import numpy as np
import pytest

from engines.types import F64
from tests.photographs import ASTRONAUT_FILE, read
from training.embedder.faces import MARGIN, SIDE, Faces, cut, person
from training.embedder.pairs import MOST_PER_PERSON, cosines, grouping, halves, verification
from training.geometry import arcface_crop


def faces(names: tuple[str, ...]) -> Faces:
    return Faces(np.zeros((len(names), 4, 4, 3), np.uint8), names)


def embeddings(people: tuple[str, ...], noise: float) -> F64:
    rng = np.random.default_rng(0)
    centres = {who: rng.standard_normal(64) for who in people}
    rows = np.stack([centres[who] + noise * rng.standard_normal(64) for who in people])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


PEOPLE = tuple(f"person{i // 4}" for i in range(80))


def test_nobody_is_on_both_sides_and_nameless_faces_are_never_held_out() -> None:
    everybody = faces((*(f"Some_Body{i // 3}_{i:04}" for i in range(60)), "_1_2", "_3_4"))
    known, unknown = everybody.split()
    assert not set(known.people) & set(unknown.people)
    assert {"_1_2", "_3_4"} <= set(known.names)
    assert len(set(unknown.people)) == 4
    assert len(known.names) + len(unknown.names) == 62


def test_people_are_named_by_their_files() -> None:
    assert person("Abba_Eban_0001") == "Abba_Eban"
    assert person("_60_12_0") == "_60_12_0"


def test_clear_embeddings_are_verified_and_random_ones_are_not() -> None:
    clear = verification(embeddings(PEOPLE, 0.3), PEOPLE)
    assert clear["accuracy_on_other_half"] == pytest.approx([1, 1], abs=0.01)
    assert clear["missed"] == pytest.approx(0, abs=0.02)
    vague = verification(embeddings(PEOPLE, 100.0), PEOPLE)
    assert vague["accuracy_on_other_half"] == pytest.approx([0.5, 0.5], abs=0.1)


def test_a_crowd_is_grouped_and_the_groups_are_judged() -> None:
    clear = grouping(embeddings(PEOPLE, 0.3), PEOPLE)
    assert clear["0.45"] == {"groups": 20, "own": 1, "together": 1}
    one = np.eye(3)[[0, 0, 1, 1, 2, 0]]  # one "b" is alone, and one is grouped with "a"
    found = grouping(one, ("a", "a", "b", "b", "b", "b"))
    assert found["0.5"] == {"groups": 3, "own": 5 / 6, "together": 4 / 6}


def test_no_person_is_more_than_a_share_of_the_pairs() -> None:
    people = ("a",) * 30 + ("b",) * 2
    found = cosines(embeddings(people, 1.0), people)
    assert MOST_PER_PERSON / 2 < len(found.same) <= MOST_PER_PERSON + 1
    assert len(found.other) == 60


def test_halves_share_nobody() -> None:
    first, second = halves(PEOPLE)
    assert not {PEOPLE[i] for i in np.flatnonzero(first)} & {
        PEOPLE[i] for i in np.flatnonzero(second)
    }
    assert first.sum() == second.sum() == 40


def test_an_aligned_face_contains_the_crop_of_the_service() -> None:
    astronaut = read(ASTRONAUT_FILE)
    landmarks = np.array([[205, 110], [245, 107], [228, 131], [210, 148], [247, 146]], np.float32)
    face = cut(astronaut, landmarks)
    assert face.shape == (SIDE, SIDE, 3)
    inside = face[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(int)
    # OpenCV 4 interpolates at 1/32 of a pixel, and the two crops have other fractions.
    assert np.abs(inside - arcface_crop(astronaut, landmarks)).max() <= 4
