"""Parity: the differences between the outputs of a plan and of the reference, on real faces."""

from collections.abc import Callable, Iterator

import numpy as np

from engines.batches import joined
from engines.catalog import ModelSpec, Precision, Task
from engines.errors import ParityError
from engines.geometry import box_iou
from engines.limits import allowed
from engines.probe_inputs import probe
from engines.types import Array, Runner

FACE_SCORE = 0.5
# Two emotions with scores this close are tied: either may come first.
TIE = 0.05
Outputs = dict[str, Array]


def check(
    spec: ModelSpec,
    runner: Runner,
    reference: Runner,
    precision: Precision,
    heights: tuple[int, ...] = (),
) -> dict[str, float]:
    """Run the probe images through both and return the differences.

    Their names are the fields of `engines.catalog.ParityLimits`. The runner gets the probe as one
    batch and the reference gets it item by item, so a plan that mixes up a batch fails.
    `heights` are the input heights of the plan: a few are tested, with the upper part of the probe.

    Raises:
        ParityError: a difference is beyond its limit for `precision` (see `engines.limits`), or
            outputs are missing, have other shapes, or are not finite.
    """
    name, items = spec.input_name, probe(spec)
    expected, actual = [], []
    for batch in [items[:, :height] for height in _spread(heights)] or [items]:
        singles = [batch[i : i + 1] for i in range(len(batch))]
        expected.append(joined([reference.infer({name: item}) for item in singles]))
        actual.append(dict(runner.infer({name: batch})))
        _check_comparable(spec, expected[-1], actual[-1])
    figures = _COMPARE[spec.task](joined(expected), joined(actual))
    _judge(spec, figures, precision)
    return figures


def _spread(heights: tuple[int, ...]) -> tuple[int, ...]:
    """About four of the heights, the largest among them; all if there are few."""
    return heights[:: -max(1, len(heights) // 4)]


def _check_comparable(spec: ModelSpec, expected: Outputs, actual: Outputs) -> None:
    """Reject outputs that numpy would broadcast, and NaN: it makes each comparison false."""
    for name, wanted in expected.items():
        found = actual.get(name)
        if found is None:
            raise ParityError(f"{spec.name}: the plan does not give {name}; it is not put in place")
        if found.shape != wanted.shape:
            raise ParityError(
                f"{spec.name}: the plan gives {name} {found.shape}, the reference {wanted.shape}; "
                "it is not put in place"
            )
        if not (np.isfinite(found).all() and np.isfinite(wanted).all()):
            raise ParityError(
                f"{spec.name}: values of {name} are no numbers; the plan is not put in place"
            )


def _detector(expected: Outputs, actual: Outputs) -> dict[str, float]:
    """Compare each anchor that has a face, in either output, with the nearest one of the other.

    An anchor with a score near `FACE_SCORE` may have a face in one output only, so its partner may
    have any score. Scores are also compared by rank: this finds a different number of faces.
    """
    one, two = (-np.sort(-side["scores"], axis=1) for side in (expected, actual))
    ranked = np.abs(one - two)[(one >= FACE_SCORE) | (two >= FACE_SCORE)]
    pairs = np.array([*_nearest(expected, actual), *_nearest(actual, expected)]).reshape(-1, 3)
    return {
        "iou": float(pairs[:, 0].min(initial=1)),
        "landmark": float(pairs[:, 1].max(initial=0)),
        "score": float(max(pairs[:, 2].max(initial=0), ranked.max(initial=0))),
    }


def _nearest(side: Outputs, other: Outputs) -> Iterator[tuple[float, float, float]]:
    """Yield IoU, largest landmark distance and score difference of each pair."""
    for image, row in np.argwhere(side["scores"] >= FACE_SCORE):
        overlap = box_iou(side["boxes"][image, row], other["boxes"][image])
        difference = np.abs(other["scores"][image] - side["scores"][image, row])
        best = np.argmax(overlap - difference)
        shift = side["landmarks"][image, row] - other["landmarks"][image, best]
        yield overlap[best], np.linalg.norm(shift, axis=-1).max(), difference[best]


def _landmarks(expected: Outputs, actual: Outputs) -> dict[str, float]:
    shift = expected["offsets"] - actual["offsets"]
    return {"landmark": float(np.linalg.norm(shift, axis=-1).max())}


def _emotion(expected: Outputs, actual: Outputs) -> dict[str, float]:
    scores, chosen = expected["scores"], actual["scores"].argmax(axis=1)
    margin = scores.max(axis=1) - scores[np.arange(len(scores)), chosen]
    difference = np.abs(scores - actual["scores"]).max()
    return {"score": float(difference), "agreement": float((margin <= TIE).mean())}


def _embedder(expected: Outputs, actual: Outputs) -> dict[str, float]:
    """The cosine, from the distance of unit vectors: a wrong length is a difference, too."""
    difference = np.square(expected["embedding"] - actual["embedding"]).sum(axis=1)
    return {"cosine": float(1 - difference.max() / 2)}


_COMPARE: dict[Task, Callable[[Outputs, Outputs], dict[str, float]]] = {
    "detector": _detector,
    "landmarks": _landmarks,
    "emotion": _emotion,
    "embedder": _embedder,
}


def _judge(spec: ModelSpec, figures: dict[str, float], precision: Precision) -> None:
    minima, limits = {"iou", "cosine", "agreement"}, allowed(spec, precision)
    for name, figure in figures.items():
        limit = limits[name]
        good = figure >= limit if name in minima else figure <= limit
        if not good:  # also if the figure is NaN
            raise ParityError(
                f"{spec.name} at {precision} is too far from the reference: {name} {figure:.6g}, "
                f"limit {limit:g}; the plan is not put in place, build another precision"
            )
