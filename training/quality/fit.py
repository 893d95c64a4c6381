"""Fits the logistic regression of `analysis.quality`, and writes its numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.quality import Model, Term
from engines.types import F64
from training.errors import TrainingError

# Strength of the ridge prior, in examples. It affects only the weights of measures without
# information.
RIDGE = 1.0
STEPS, CLOSE = 50, 1e-9
# Values are limited to the quantiles TAIL to 1 - TAIL, so that outliers do not distort the squares.
TAIL = 0.005
HEADER = (
    "# Written by `python -m training.quality fit`; `analysis/quality.py` explains the numbers."
)


def fitted(
    rows: Sequence[dict[str, float]], right: NDArray[np.bool_], names: Sequence[str]
) -> Model:
    """Fit the probability that an example is right.

    rows: the measures of each example; right: (N,); names: the measures to use.

    Raises:
        TrainingError: the examples are all right or all wrong.
    """
    if right.all() or not right.any():
        raise TrainingError("the views are all right or all wrong: add photographs")
    values = np.array([[row[name] for name in names] for row in rows])
    low, high = np.quantile(values, [TAIL, 1 - TAIL], axis=0)
    limited = np.clip(values, low, high)
    mean, deviation = limited.mean(axis=0), np.maximum(limited.std(axis=0), 1e-6)
    z = (limited - mean) / deviation
    bias, *weights = newton(np.hstack([np.ones((len(z), 1)), z, z**2]), right).tolist()
    columns = (mean, deviation, low, high, weights[: len(names)], weights[len(names) :])
    terms = zip(names, np.array(columns).T.tolist(), strict=True)
    return Model(bias, {name: Term(*numbers) for name, numbers in terms})


def newton(columns: F64, right: NDArray[np.bool_]) -> F64:
    """Return the weights (C,) of a logistic regression on `columns` (N, C), the first of ones.

    Newton's method (iteratively reweighted least squares); the constant has no prior.
    """
    weights = np.zeros(columns.shape[1])
    prior = np.full(len(weights), RIDGE)
    prior[0] = 0
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (right - chance) - prior * weights
        curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns + np.diag(prior)
        step = np.linalg.solve(curvature, slope)
        weights = weights + step
        if np.abs(step).max() < CLOSE:
            break
    return weights


def write(model: Model, path: Path) -> None:
    """Write a model as `analysis.quality` reads it."""
    lines = [HEADER, f"bias = {model.bias:.6g}"]
    for name, term in model.terms.items():
        lines += [
            "",
            f"[{name}]",
            *(f"{key} = {value:.6g}" for key, value in term._asdict().items()),
        ]
    path.write_text("\n".join(lines) + "\n")
