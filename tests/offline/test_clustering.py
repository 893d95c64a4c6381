"""Faces of a folder numbered by person, also over runs that were broken off."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.document import Face, ImageResult
from engines.catalog import SAME_PERSON
from offline.clustering import FILE, Identities, Kept
from offline.tables import OutputError, Tables
from tests.offline.test_predict import LABELS, table

WIDTH = 64


def faces_of(people: list[int], seed: int = 0) -> list[list[float]]:
    """An embedding a face: near its person's own direction, far from the others'."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    vectors = directions[people] + rng.normal(size=(len(people), WIDTH)) * 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [[float(value) for value in vector] for vector in vectors]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40))
def test_people_are_numbered_as_they_appear(people: list[int]) -> None:
    known = Identities(SAME_PERSON)
    order = list(dict.fromkeys(people))
    expected = [order.index(person) + 1 for person in people]
    assert [known.number(face) for face in faces_of(people)] == expected


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.data())
def test_going_on_gives_the_numbers_of_one_run(
    tmp_path_factory: pytest.TempPathFactory, people: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(people)))
    whole, broken = (tmp_path_factory.mktemp(name) for name in ("whole", "broken"))
    faces = faces_of(people)
    write(whole, faces)
    write(broken, faces[:cut])
    with (broken / FILE).open("ab") as file:
        file.write(b"half a record of a face whose row was never written")
    write(broken, faces, resume=True)
    for name in ("faces.csv", FILE):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_a_folder_of_another_embedder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, faces_of([0, 1]))
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:100])
    with pytest.raises(OutputError, match="--no-identities"):
        write(tmp_path, faces_of([0, 1]), resume=True)


def test_the_embedder_s_own_cosine_tells_people_apart() -> None:
    faces = np.array([[1.0, 0.0], [0.6, 0.8]])
    for same_person, expected in ((0.5, [1, 1]), (0.7, [1, 2])):
        known = Identities(same_person)
        assert [known.number(face) for face in faces] == expected


def test_without_an_embedder_nobody_is_numbered(tmp_path: Path) -> None:
    tables = Tables(tmp_path, LABELS, resume=False)
    tables.add(result("a.jpg", None))
    tables.close()
    assert [row["identity"] for row in table(tmp_path / "faces.csv")] == [""]
    assert not (tmp_path / FILE).exists()


def test_an_empty_file_is_kept_for_no_faces(tmp_path: Path) -> None:
    Kept(tmp_path, [], SAME_PERSON).close()
    with pytest.raises(ValueError, match="does not fit"):
        Kept(tmp_path, [1], SAME_PERSON)


def write(folder: Path, faces: list[list[float]], *, resume: bool = False) -> None:
    tables = Tables(folder, LABELS, same_person=SAME_PERSON, resume=resume)
    for i, face in enumerate(faces):
        if f"{i}.jpg" not in tables.done:
            tables.add(result(f"{i}.jpg", face))
    tables.close()


def result(name: str, embedding: list[float] | None) -> ImageResult:
    face = Face(
        box=[0, 0, 9, 9],
        score=0.9,
        landmarks=[[1, 1]] * 5,
        emotion="happy",
        scores=dict.fromkeys(LABELS, 1 / 7),
        embedding=embedding,
    )
    return ImageResult(id=name, width=10, height=10, error=None, faces=[face])
