"""Parity: does a plan answer as the reference does, on real faces?"""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.catalog import ModelSpec, Precision, Task
from engines.cuttings import SIDE, cuttings
from engines.errors import ParityError
from engines.limits import allowed
from engines.runner import Array, Runner

PROBE = Path(__file__).with_name("probe")
FACE_SCORE = 0.5
# Of two emotions this near each other either may come first.
TIE = 0.05
Outputs = dict[str, Array]
U8 = NDArray[np.uint8]


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
    name, items = input_name(spec.task), probe(spec)
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


def input_name(task: Task) -> str:
    """The one input of a network of this task."""
    return "images" if task == "detector" else "faces"


def probe(spec: ModelSpec) -> U8:
    """Real faces as a network of this task takes them: uint8 (N, H, W, 3), or (N, 48, 48) grey.

    Some are mirrored and some are dark.
    Both photographs are works of the United States government (NASA, Navy), in the public domain.
    """
    if spec.task == "detector":
        return _scenes(*input_size(spec))
    crops = _read("faces.png").reshape(-1, 112, 112, 3)
    variants = np.concatenate([crops, crops[:, :, ::-1], crops // 2])
    match spec.task:
        case "landmarks":
            return cuttings(variants)
        case "emotion":
            return _grey(variants)
        case _:
            return variants


def input_shape(spec: ModelSpec) -> tuple[int, ...]:
    """Shape of one item that a network of this task takes, uint8."""
    match spec.task:
        case "detector":
            return (*input_size(spec), 3)
        case "emotion":
            return (48, 48)
        case "landmarks":
            return (SIDE, SIDE, 3)
        case "embedder":
            return (112, 112, 3)


def input_size(spec: ModelSpec) -> tuple[int, int]:
    """Height and width of a detector's input.

    Raises:
        TypeError: the catalog's option is not a pair.
    """
    size = spec.options.get("size", (640, 640))
    if not isinstance(size, tuple | list):
        raise TypeError(f"{spec.name}: size must be [height, width]")
    return int(size[0]), int(size[1])


def _scenes(height: int, width: int) -> U8:
    scene = cv2.resize(_read("scene.jpg"), (width, height), interpolation=cv2.INTER_AREA)
    return np.stack([scene, scene[:, ::-1], np.roll(scene, width // 3, axis=1), scene // 2])


def _read(name: str) -> U8:
    pixels = cv2.imread(str(PROBE / name), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise FileNotFoundError(PROBE / name)
    return np.asarray(pixels, np.uint8)


def _grey(crops: U8) -> U8:
    shrunk = [cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in shrunk]).astype(np.uint8)


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


def box_iou(box: Array, boxes: Array) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with many (N, 4), all x1 y1 x2 y2."""
    corner = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    inside = np.prod(np.clip(corner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(inside / np.maximum(areas - inside, 1e-9), np.float32)


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
