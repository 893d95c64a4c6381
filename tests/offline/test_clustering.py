"""Faces numbered by person, also over runs that were interrupted."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evaluation.fer2013 import LABELS
from engines.catalog import SAME_PERSON
from offline.clustering import LeaderClustering
from offline.errors import OutputError
from offline.tables.folder import FolderTables
from offline.tables.people import FILE, ResumableClustering
from tests.offline.helpers import face, read_table, result

WIDTH = 64


def embeddings_of(people: list[int], seed: int = 0) -> list[list[float]]:
    """An embedding per face: near the direction of its person, far from the others'."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    vectors = directions[people] + rng.normal(size=(len(people), WIDTH)) * 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [[float(value) for value in vector] for vector in vectors]


def write(folder: Path, embeddings: list[list[float]], *, resume: bool = False) -> None:
    tables = FolderTables(folder, LABELS, same_person=SAME_PERSON, resume=resume)
    for i, embedding in enumerate(embeddings):
        if f"{i}.jpg" not in tables.done:
            tables.add(result(f"{i}.jpg", face(embedding=embedding)))
    tables.close()


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40))
def test_people_are_numbered_in_order_of_appearance(people: list[int]) -> None:
    clustering = LeaderClustering(SAME_PERSON)
    order = list(dict.fromkeys(people))
    expected = [order.index(person) + 1 for person in people]
    assert [clustering.assign(row) for row in embeddings_of(people)] == expected


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.data())
def test_a_resumed_run_gives_the_numbers_of_one_run(
    tmp_path_factory: pytest.TempPathFactory, people: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(people)))
    whole, resumed = (tmp_path_factory.mktemp(name) for name in ("whole", "resumed"))
    embeddings = embeddings_of(people)
    write(whole, embeddings)
    write(resumed, embeddings[:cut])
    with (resumed / FILE).open("ab") as file:
        file.write(b"part of a record without a row in the table")
    write(resumed, embeddings, resume=True)
    for name in ("faces.csv", FILE):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes()


def test_a_folder_of_another_embedder_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, embeddings_of([0, 1]))
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:100])
    with pytest.raises(OutputError, match="--no-identities"):
        write(tmp_path, embeddings_of([0, 1]), resume=True)


def test_the_threshold_of_the_embedder_separates_people() -> None:
    embeddings = np.array([[1.0, 0.0], [0.6, 0.8]])
    for same_person, expected in ((0.5, [1, 1]), (0.7, [1, 2])):
        clustering = LeaderClustering(same_person)
        assert [clustering.assign(embedding) for embedding in embeddings] == expected


def test_without_an_embedder_faces_have_no_number(tmp_path: Path) -> None:
    tables = FolderTables(tmp_path, LABELS, resume=False)
    tables.add(result("a.jpg", face()))
    tables.close()
    assert [row["identity"] for row in read_table(tmp_path / "faces.csv")] == [""]
    assert not (tmp_path / FILE).exists()


def test_an_empty_file_fits_a_table_without_faces_only(tmp_path: Path) -> None:
    ResumableClustering(tmp_path, [], SAME_PERSON).close()
    with pytest.raises(ValueError, match="0 embeddings for 1 rows"):
        ResumableClustering(tmp_path, [1], SAME_PERSON)
