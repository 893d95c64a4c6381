"""Targets from labels and FER+ votes, and batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.evaluation.fer2013 import LABELS
from training.emotion.batches import Batches, blend
from training.emotion.labels import mixed_targets, one_hot, prior_shift
from training.emotion.votes import FERPLUS_COLUMNS, fitted_votes, vote_distribution

VOTES = hnp.arrays(np.int8, (5, 10), elements=st.integers(0, 10))


def votes(**count: int) -> np.ndarray:
    return np.array([[count.get(name, 0) for name in FERPLUS_COLUMNS]], np.int8)


def of_label(row: np.ndarray) -> dict[str, float]:
    return {
        name: round(float(value), 4) for name, value in zip(LABELS, row, strict=True) if value > 0
    }


def test_votes_count_for_the_class_of_their_name() -> None:
    shares = vote_distribution(votes(neutral=2, happiness=6, sadness=2))[0]
    assert of_label(shares) == {"happy": 0.6, "sad": 0.2, "neutral": 0.2}


def test_contempt_unknown_no_face_and_single_votes_are_dropped() -> None:
    shares = vote_distribution(votes(anger=4, fear=1, contempt=3, unknown=1, NF=1))[0]
    assert of_label(shares) == {"angry": 1.0}


def test_fitted_votes_predict_the_labels() -> None:
    same = votes(neutral=7, sadness=3).repeat(40, 0)
    happy, none = votes(happiness=10).repeat(20, 0), np.full((1, 10), -1, np.int8)
    labels = np.array([4] * 30 + [6] * 10 + [3] * 20 + [0])
    shares = fitted_votes(np.concatenate([same, happy, none]), one_hot(labels))
    # The majority voted neutral, but three of four labels are sad.
    np.testing.assert_allclose(shares[0], np.eye(7)[4] * 0.75 + np.eye(7)[6] * 0.25, atol=0.02)
    assert shares[40, 3] > 0.95
    assert shares[60].sum() == 0
    targets = mixed_targets(labels, np.concatenate([same, happy, none]), 0.5, 0.0, fit_votes=True)
    np.testing.assert_allclose(targets[0], (np.eye(7)[4] + shares[0]) / 2, atol=1e-6)
    assert of_label(targets[60]) == {"angry": 1.0}


@given(VOTES, hnp.arrays(np.int64, 5, elements=st.integers(0, 6)), st.floats(0, 1))
def test_targets_are_distributions(counts: np.ndarray, labels: np.ndarray, weight: float) -> None:
    targets = mixed_targets(labels, counts, weight, smoothing=0.1)
    assert (targets > 0).all()
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)


def test_an_image_without_votes_keeps_its_label() -> None:
    targets = mixed_targets(np.array([3]), np.full((1, 10), -1, np.int8), 0.5, smoothing=0.0)
    assert of_label(targets[0]) == {"happy": 1.0}


def test_label_and_votes_share_the_target() -> None:
    targets = mixed_targets(np.array([2]), votes(surprise=10), 0.7, smoothing=0.0)
    assert of_label(targets[0]) == {"fear": 0.7, "surprise": 0.3}


@pytest.fixture
def batches() -> Batches:
    faces = np.random.default_rng(0).integers(0, 256, (20, 48, 48)).astype(np.uint8)
    return Batches(faces, np.eye(7, dtype=np.float32)[np.arange(20) % 7], size=8)


def test_epochs_are_whole_batches_and_differ(batches: Batches) -> None:
    first, second = (list(batches.epoch(number, 32)) for number in (0, 1))
    assert [faces.shape for faces, _ in first] == [(8, 32, 32)] * 2
    assert [targets.shape for _, targets in first] == [(8, 7)] * 2
    assert (first[0][0] != second[0][0]).any()


def test_workers_do_not_change_the_batches(batches: Batches) -> None:
    spread = Batches(batches.faces, batches.targets, size=8, workers=2)
    with spread:
        for alone, shared in zip(batches.epoch(3, 48), spread.epoch(3, 48), strict=True):
            np.testing.assert_array_equal(alone[0], shared[0])
            np.testing.assert_array_equal(alone[1], shared[1])


def test_blended_targets_stay_distributions() -> None:
    faces = np.zeros((4, 48, 48), np.uint8)
    mixed, targets = blend(faces, np.eye(7, dtype=np.float32)[:4], np.random.default_rng(0), 0.2)
    assert mixed.dtype == np.uint8
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)


def test_the_shift_returns_to_the_labels_prior() -> None:
    shift = prior_shift(np.arange(7), np.tile(votes(neutral=10), (7, 1)), 0.7)
    assert shift[6] == pytest.approx(np.log(1 / (0.7 + 0.3 * 7)), abs=1e-4)
    np.testing.assert_allclose(shift[:6], np.log(1 / 0.7), rtol=1e-4)
