"""Figures, temperature, schedule and recipe: all that needs no Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.evaluation import accuracy as metrics
from training.emotion.recipe import Recipe, load_recipe, parse_sides
from training.emotion.schedule import image_side, learning_rate
from training.emotion.temperature import fit_temperature, held_out_calibration_error


def sampled(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and labels drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 7))
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits / temperature + noise).argmax(1)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.8])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    logits, labels = sampled(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)
    assert held_out_calibration_error(logits, labels) < 0.02


def test_the_calibration_error_of_certain_predictions_is_the_share_of_wrong_ones() -> None:
    sure = np.eye(7)[np.zeros(10, int)]
    assert metrics.calibration_error(sure, np.array([0] * 6 + [1] * 4)) == pytest.approx(0.4)


def test_accuracy_f1_and_confusion_by_hand() -> None:
    probabilities = np.eye(7)[[3, 3, 6, 4]]
    labels = np.array([3, 6, 6, 4])
    matrix = metrics.confusion(probabilities, labels)
    assert metrics.accuracy(probabilities, labels) == 0.75
    assert matrix[6, 3] == 1
    assert metrics.f1_scores(matrix)["happy"] == pytest.approx(2 / 3)
    assert metrics.f1_scores(matrix)["angry"] == 0


def test_a_subset_chooses_among_its_own_classes_only() -> None:
    probabilities = np.array([[0.9, 0, 0, 0.06, 0.04, 0, 0], [0, 0, 0, 1, 0, 0, 0.0]])
    names = ("happy", "neutral", "sad")
    assert metrics.subset_accuracy(probabilities, np.array([3, 0]), names) == 1.0


def test_softmax_is_finite_for_large_logits() -> None:
    np.testing.assert_allclose(metrics.softmax(np.array([[1e4, 1e4]])), 0.5)


def test_the_rate_warms_up_and_ends_at_zero() -> None:
    rates = [learning_rate(share, 0.1) for share in np.linspace(0, 1, 200)]
    assert max(rates) == pytest.approx(0.1, rel=0.02)
    assert rates[0] < 0.01
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_the_image_side_grows_with_the_share_of_the_training() -> None:
    sides = parse_sides("0:32,0.5:48")
    assert [image_side(share, sides) for share in (0, 0.49, 0.5, 1)] == [32, 32, 48, 48]
    with pytest.raises(ValueError, match="start at 0"):
        parse_sides("0.5:48")


def test_a_recipe_comes_back_from_its_file(tmp_path: Path) -> None:
    recipe = replace(Recipe(), width=64, sides={0.0: 32, 0.4: 48}, minutes=float("inf"))
    recipe.save(tmp_path / "recipe.json")
    assert load_recipe(tmp_path / "recipe.json") == recipe
