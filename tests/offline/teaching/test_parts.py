"""The parts of teaching: folds, heads, figures, graphs."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evaluation.accuracy import softmax
from engines.backends.onnxruntime import session
from engines.catalog import Catalog
from offline.errors import TeachingError
from offline.teaching.folds import FOLDS, folds_of
from offline.teaching.head import fit, temperature_of
from offline.teaching.network import cooled, features_of, with_head
from offline.teaching.validation import bins, interval, out_of_fold
from tests.engines.classifiers.graphs import linear


@given(st.integers(0, 1000), st.integers(2, 5), st.integers(10, 60))
def test_no_person_is_in_both_parts_and_each_face_is_tested_once(
    seed: int, classes: int, people: int
) -> None:
    random = np.random.default_rng(seed)
    person = random.integers(0, people, 40 * classes)
    targets = np.arange(40 * classes) % classes
    folds = folds_of(targets, person, classes)
    tested = np.concatenate([test for _, test in folds.parts])
    assert sorted(tested) == list(range(len(targets)))
    assert len(folds.parts) == FOLDS
    for train, test in folds.parts:
        assert set(targets[train]) == set(range(classes))
        if folds.by_person:
            assert not set(person[train]) & set(person[test])


def test_too_few_people_are_not_split_by_person() -> None:
    targets = np.arange(60) % 2
    assert not folds_of(targets, np.arange(60) % 3, 2).by_person
    assert not folds_of(targets, targets, 2).by_person
    assert not folds_of(targets, None, 2).by_person


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 20))
def test_the_interval_is_one_of_shares(right: list[bool], people: int) -> None:
    hits = np.array(right)
    low, high = interval(hits, np.arange(len(hits)) % people)
    assert 0 <= low <= high <= 1
    if hits.all() or not hits.any():
        assert low == high == hits[0]


def test_faces_of_one_person_widen_the_interval() -> None:
    right = np.arange(100) < 70
    alone, together = interval(right, None), interval(right, np.arange(100) // 10)
    assert alone[0] <= 0.7 <= alone[1]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_separates_its_classes(classes: int) -> None:
    random = np.random.default_rng(0)
    targets = np.arange(300) % classes
    features = random.normal(size=(300, 6)).astype(np.float32) * 10 + 5
    features[np.arange(300), targets] += 50
    head = fit(features, targets, classes, 0.03)
    assert (head.weights.shape, head.bias.shape) == ((6, classes), (classes,))
    scores = softmax(head.logits(features))
    assert (scores.argmax(axis=1) == targets).mean() > 0.98
    assert {each.faces for each in bins(scores, targets)} != {0}


def test_a_temperature_makes_scores_honest() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(5000, 3)) * 2
    shares = softmax(logits)
    targets = (random.random((5000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    assert temperature_of(logits * 3, targets) == pytest.approx(3, rel=0.15)


def test_unseen_faces_get_the_logits_of_their_part() -> None:
    parts = ((np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3])))
    found = out_of_fold(lambda train, test: np.stack([test, train], 1).astype(float), parts)
    assert found.tolist() == [[0, 2], [1, 3], [2, 0], [3, 1]]


def test_a_graph_with_a_head_computes_the_head() -> None:
    spec = Catalog.load().get("emotion-fer48")
    base = onnx.load(spec.root / str(spec.weights))
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (3, 48, 48)).astype(np.uint8)
    features = features_of(base, faces)
    weights = random.normal(size=(features.shape[1], 4)).astype(np.float32)
    bias = random.normal(size=4).astype(np.float32)
    taught = with_head(base, weights, bias)
    again = with_head(taught, weights, bias)
    assert features.shape == (3, 1536)
    for model, divisor in ((taught, 1), (again, 1), (cooled(taught, 2), 2)):
        (scores,) = session(model.SerializeToString()).run(["scores"], {"faces": faces})
        expected = softmax((features @ weights + bias) / divisor)
        assert scores == pytest.approx(expected, abs=1e-4)


def test_a_network_without_a_linear_end_names_the_fix() -> None:
    model = linear(48, 1)
    model.graph.node[-1].op_type = "Relu"
    with pytest.raises(TeachingError, match="EMOTIONS_EMOTION"):
        features_of(model, np.zeros((1, 48, 48), np.uint8))
