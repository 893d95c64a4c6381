"""Parity: does a plan answer as the reference does, on real faces?"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.catalog import ModelSpec, Precision, Task
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
        ParityError: a figure is outside its limit for `precision`, see `engines.limits`.
    """
    name, items = input_name(spec.task), probe(spec)
    batches = [items[:, :height] for height in _spread(heights)] or [items]
    singles = [batch[i : i + 1] for batch in batches for i in range(len(batch))]
    expected = _joined([reference.infer({name: item}) for item in singles])
    actual = _joined([runner.infer({name: batch}) for batch in batches])
    figures = _COMPARE[spec.task](expected, actual)
    _judge(spec, figures, precision)
    return figures


def _spread(heights: tuple[int, ...]) -> tuple[int, ...]:
    """The largest and a few lower ones, all where they are few."""
    return heights[:: -max(1, len(heights) // 4)]


def _joined(batches: list[Outputs]) -> Outputs:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def input_name(task: Task) -> str:
    """The one input of a network of this task."""
    return "images" if task == "detector" else "faces"


def probe(spec: ModelSpec) -> U8:
    """Real faces as a network of this task takes them: uint8 (N, H, W, 3), or (N, 48, 48) grey.

    Both photographs are works of the United States government (NASA, Navy), in the public domain.
    """
    if spec.task == "detector":
        return _scenes(*input_size(spec))
    crops = _read("faces.png").reshape(-1, 112, 112, 3)
    variants = np.concatenate([crops, crops[:, :, ::-1], crops // 2])
    return variants if spec.task == "embedder" else _grey(variants)


def input_shape(spec: ModelSpec) -> tuple[int, ...]:
    """Shape of one item that a network of this task takes, uint8."""
    match spec.task:
        case "detector":
            return (*input_size(spec), 3)
        case "emotion":
            return (48, 48)
        case "landmarks":
            return (64, 64, 3)
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
    """Hold every anchor that sees a face against the nearest that the plan returns."""
    ious, distances, scores = [1.0], [0.0], [0.0]
    for image in range(len(expected["scores"])):
        for row in np.flatnonzero(expected["scores"][image] >= FACE_SCORE):
            overlap = box_iou(expected["boxes"][image][row], actual["boxes"][image])
            best = int(
                np.argmax(
                    overlap - np.abs(actual["scores"][image] - expected["scores"][image][row])
                )
            )
            ious.append(float(overlap[best]))
            shift = expected["landmarks"][image][row] - actual["landmarks"][image][best]
            distances.append(float(np.linalg.norm(shift, axis=-1).max()))
            scores.append(
                float(abs(expected["scores"][image][row] - actual["scores"][image][best]))
            )
    return {"iou": min(ious), "landmark": max(distances), "score": max(scores)}


def _emotion(expected: Outputs, actual: Outputs) -> dict[str, float]:
    scores, chosen = expected["scores"], actual["scores"].argmax(axis=1)
    behind = scores.max(axis=1) - scores[np.arange(len(scores)), chosen]
    difference = np.abs(scores - actual["scores"]).max()
    return {"score": float(difference), "agreement": float((behind <= TIE).mean())}


def _embedder(expected: Outputs, actual: Outputs) -> dict[str, float]:
    return {"cosine": float(np.sum(expected["embedding"] * actual["embedding"], axis=1).min())}


_COMPARE: dict[Task, Callable[[Outputs, Outputs], dict[str, float]]] = {
    "detector": _detector,
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
