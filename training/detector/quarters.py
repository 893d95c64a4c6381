"""Quarter turns of scenes: the teacher sees a scene upright, the student sees it turned.

The teacher misses half of the faces that lie on their side, and places upright landmarks on most
faces that are upside down. Its outputs for the upright scene, turned, fit the turned scene.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from training.detector.network import ANCHORS_PER_CELL, STRIDES, Output

# Quarter turns, counter-clockwise, of successive pairs; the cycle repeats.
CYCLE = (0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0)
Turn = Callable[[Tensor, int], Tensor]


def of_batch(first: int, count: int) -> list[int]:
    """Return the quarter turns of `count` pairs, from pair number `first` on."""
    return [CYCLE[number % len(CYCLE)] for number in range(first, first + count)]


def turned_images(images: Tensor, quarters: Sequence[int]) -> Tensor:
    """Turn each of the square images (B, 3, S, S) by its `quarters`, counter-clockwise."""
    pairs = zip(images, quarters, strict=True)
    return torch.stack([torch.rot90(image, k, (1, 2)) for image, k in pairs])


def turned_heads(output: Output, quarters: Sequence[int], size: int) -> Output:
    """Turn the heads of each image of `size` pixels; the feature maps stay as they are."""
    each = partial(_each, quarters=quarters, size=size)
    return Output(
        each(output.classes, turn=lambda values, _: values),
        each(output.boxes, turn=_box),
        each(output.landmarks, turn=_points),
        output.features,
    )


def _each(heads: Tensor, turn: Turn, quarters: Sequence[int], size: int) -> Tensor:
    """Turn the rows (B, A, n) of a head: move them to other anchors, and `turn` their values."""
    pairs = zip(heads, quarters, strict=True)
    return torch.stack([turn(_moved(rows, k, size), k) for rows, k in pairs])


def _moved(rows: Tensor, quarters: int, size: int) -> Tensor:
    """Move the rows (A, n) of one image to the anchors of the turned image."""
    sides = [size // stride for stride in STRIDES]
    levels = rows.split([ANCHORS_PER_CELL * side**2 for side in sides])
    maps = [each.unflatten(0, (side, side, -1)) for each, side in zip(levels, sides, strict=True)]
    return torch.cat([torch.rot90(each, quarters).flatten(0, 2) for each in maps])


def _points(values: Tensor, quarters: int) -> Tensor:
    """Turn offsets (A, 2k): with y downwards, a quarter takes (x, y) to (y, -x)."""
    points = values.unflatten(-1, (-1, 2))
    for _ in range(quarters):
        points = torch.stack([points[..., 1], -points[..., 0]], -1)
    return points.flatten(-2)


def _box(values: Tensor, quarters: int) -> Tensor:
    """Turn centre and sides (A, 4): an odd number of quarters swaps width and height."""
    sides = values[..., 2:]
    centre = _points(values[..., :2], quarters)
    return torch.cat([centre, sides.flip(-1) if quarters % 2 else sides], -1)
