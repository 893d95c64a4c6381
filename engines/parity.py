"""Parity: does a plan answer as the reference does, on real faces?"""

from collections.abc import Callable, Iterator

import numpy as np

from engines.catalog import ModelSpec, Precision, Task
from engines.errors import ParityError
from engines.geometry import box_iou
from engines.limits import allowed
from engines.probe_inputs import probe
from engines.types import Array, Runner

FACE_SCORE = 0.5
# Of two emotions this near each other either may come first.
TIE = 0.05
Outputs = dict[str, Array]


def check(
    spec: ModelSpec,
    runner: Runner,
    reference: Runner,
    precision: Precision,
    heights: tuple[int, ...] = (),
) -> dict[str, float]:
    """Run the probe through both and return how far apart they are.

    The figures bear the names of `engines.catalog.Limits`' fields. The runner gets the probe as one
    batch and the reference gets it item by item, so a plan that is right only for a batch's first
    item fails.
    Of `heights`, those that the plan takes, some are tried: the upper rows of the probe.

    Raises:
        ParityError: a figure is outside its limit for `precision`, see `engines.limits`, or
            outputs are missing, have other shapes, or are no numbers.
    """
    name, items = spec.input_name, probe(spec)
    expected, actual = [], []
    for batch in [items[:, :height] for height in _spread(heights)] or [items]:
        singles = [batch[i : i + 1] for i in range(len(batch))]
        expected.append(_joined([reference.infer({name: item}) for item in singles]))
        actual.append(dict(runner.infer({name: batch})))
        _refuse_other_kinds(spec, expected[-1], actual[-1])
    figures = _COMPARE[spec.task](_joined(expected), _joined(actual))
    _judge(spec, figures, precision)
    return figures


def _spread(heights: tuple[int, ...]) -> tuple[int, ...]:
    """The largest and a few lower ones, all where they are few."""
    return heights[:: -max(1, len(heights) // 4)]


def _joined(batches: list[Outputs]) -> Outputs:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _refuse_other_kinds(spec: ModelSpec, expected: Outputs, actual: Outputs) -> None:
    """Refuse outputs that cannot be compared: numpy would broadcast them, or ignore a NaN."""
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
    """Pair every anchor that sees a face, of either side, with the nearest one of the other side.

    An anchor near `FACE_SCORE` may see a face on one side only, so its partner has any score. The
    scores are compared by rank as well, which compares how many anchors see a face.
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
    """Yield IoU, largest distance of a landmark and difference of the scores of each pair."""
    for image, row in np.argwhere(side["scores"] >= FACE_SCORE):
        overlap = box_iou(side["boxes"][image, row], other["boxes"][image])
        apart = np.abs(other["scores"][image] - side["scores"][image, row])
        best = np.argmax(overlap - apart)
        shift = side["landmarks"][image, row] - other["landmarks"][image, best]
        yield overlap[best], np.linalg.norm(shift, axis=-1).max(), apart[best]


def _landmarks(expected: Outputs, actual: Outputs) -> dict[str, float]:
    shift = expected["offsets"] - actual["offsets"]
    return {"landmark": float(np.linalg.norm(shift, axis=-1).max())}


def _emotion(expected: Outputs, actual: Outputs) -> dict[str, float]:
    scores, chosen = expected["scores"], actual["scores"].argmax(axis=1)
    behind = scores.max(axis=1) - scores[np.arange(len(scores)), chosen]
    difference = np.abs(scores - actual["scores"]).max()
    return {"score": float(difference), "agreement": float((behind <= TIE).mean())}


def _embedder(expected: Outputs, actual: Outputs) -> dict[str, float]:
    """The cosine of unit vectors, from their distance: one of another length is far away."""
    apart = np.square(expected["embedding"] - actual["embedding"]).sum(axis=1)
    return {"cosine": float(1 - apart.max() / 2)}


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
        if not good:  # also where the figure is not a number
            raise ParityError(
                f"{spec.name} at {precision} is too far from the reference: {name} {figure:.6g}, "
                f"limit {limit:g}; the plan is not put in place, build another precision"
            )
