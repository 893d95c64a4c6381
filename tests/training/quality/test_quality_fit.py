"""The fit of the quality, and its figures, on made-up data with known answers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.quality import load
from engines.types import F64
from training.errors import TrainingError
from training.quality import figures
from training.quality.figures import Right
from training.quality.fit import fitted, newton, write

RNG = np.random.default_rng(0)
COUNT = 20_000


def made_up() -> tuple[list[dict[str, float]], Right, F64]:
    """Measures, what happened, and its true probability; `idle` says nothing."""
    size, idle = RNG.normal(2, 3, COUNT), RNG.uniform(0, 1, COUNT)
    chances = 1 / (1 + np.exp(-(0.5 + 0.8 * size - 0.1 * size**2)))
    rows = [{"size": s, "idle": i} for s, i in zip(size.tolist(), idle.tolist(), strict=True)]
    return rows, RNG.random(COUNT) < chances, chances


def test_the_fit_finds_known_weights() -> None:
    columns = np.hstack([np.ones((COUNT, 1)), RNG.normal(0, 1, (COUNT, 2))])
    weights = np.array([0.5, -1.0, 2.0])
    right = RNG.random(COUNT) < 1 / (1 + np.exp(-columns @ weights))
    np.testing.assert_allclose(newton(columns, right), weights, atol=0.1)


def test_a_fitted_model_gives_the_true_probabilities(tmp_path: Path) -> None:
    rows, right, chances = made_up()
    model = fitted(rows, right, ("size", "idle"))
    predicted = np.array([model.quality(row) for row in rows])
    assert np.abs(predicted - chances).mean() < 0.01
    assert figures.calibration_error(predicted, right) < 0.01
    assert abs(model.terms["idle"].weight) < 0.1 < abs(model.terms["size"].weight)
    write(model, tmp_path / "model.toml")
    again = load(tmp_path / "model.toml")
    assert np.allclose([again.quality(row) for row in rows], predicted, atol=1e-4)


def test_a_measure_beyond_the_examples_counts_as_their_limit() -> None:
    rows, right, _ = made_up()
    model = fitted(rows, right, ("size",))
    low, high = model.terms["size"].low, model.terms["size"].high
    assert model.quality({"size": 1e9}) == model.quality({"size": high})
    assert model.quality({"size": -np.inf}) == model.quality({"size": low})
    assert model.quality({"size": np.nan}) == model.quality({"size": low})


@pytest.mark.parametrize("right", [True, False])
def test_examples_that_are_all_alike_cannot_be_fitted(right: bool) -> None:
    with pytest.raises(TrainingError, match="add photographs"):
        fitted([{"size": 1.0}] * 3, np.full(3, right), ("size",))


def test_figures_of_known_probabilities() -> None:
    chances = np.array([0.1, 0.1, 0.9, 0.9])
    right = np.array([False, True, True, True])
    assert figures.auc(chances, right) == pytest.approx((1 + 1 + 0.5) / 3)
    assert figures.brier(chances, right) == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    assert figures.calibration_error(chances, right) == pytest.approx((0.8 + 0.2) / 4)
    found = figures.bins(chances, right)
    assert [each.faces for each in found] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (found[1].predicted, found[1].right) == pytest.approx((0.1, 0.5))
    assert np.isnan(figures.auc(chances, np.ones(4, bool)))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_bins_count_every_example_once(examples: list[tuple[float, bool]]) -> None:
    chances = np.array([chance for chance, _ in examples])
    right = np.array([each for _, each in examples])
    found = figures.bins(chances, right)
    assert sum(each.faces for each in found) == len(examples)
    assert 0 <= figures.calibration_error(chances, right) <= 1
