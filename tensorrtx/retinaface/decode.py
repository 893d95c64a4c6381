"""From rows of numbers per anchor to the best candidates in pixels, in the graph."""

import numpy as np
from numpy.typing import NDArray

from tensorrtx.layers import Graph

# Stride of each map, and the sides of the two anchors at each of its positions, in pixels.
LEVELS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
VALUES = 15


def anchors(height: int, width: int) -> NDArray[np.float32]:
    """Centre x, centre y and side of every anchor in pixels: float32 (anchors, 3)."""
    levels = [_level(height, width, stride, sides) for stride, sides in LEVELS]
    return np.concatenate(levels).astype(np.float32)


def number(height: int, width: int) -> int:
    """The number of ``anchors``."""
    return sum(len(sides) * (height // each) * (width // each) for each, sides in LEVELS)


def _level(height: int, width: int, stride: int, sides: tuple[int, int]) -> NDArray[np.float64]:
    ys = (np.arange(height // stride) + 0.5) * stride
    xs = (np.arange(width // stride) + 0.5) * stride
    y, x, side = np.meshgrid(ys, xs, np.array(sides, np.float64), indexing="ij")
    return np.stack([x, y, side], axis=-1).reshape(-1, 3)


def present(graph: Graph, images: str, height: int, width: int) -> str:
    """``anchors`` for ``images`` (N, H, W, 3) with any H up to ``height``.

    The anchors of a level are in rows from the top, so a lower image has the first ones of each.
    """
    with graph.scope("decode"):
        rows = graph.node("Gather", graph.node("Shape", images), graph.index(1))
        parts = []
        for stride, sides in LEVELS:
            level = graph.constant(f"anchors.{stride}", _level(height, width, stride, sides))
            row = graph.numbers(len(sides) * (width // stride))
            count = graph.node("Mul", graph.node("Div", rows, graph.numbers(stride)), row)
            parts.append(graph.node("Slice", level, graph.numbers(0), count, graph.numbers(0)))
        return graph.node("Concat", *parts, axis=0)


def constant(graph: Graph, height: int, width: int) -> str:
    """``anchors`` for images of one height."""
    with graph.scope("decode"):
        return graph.constant("anchors", anchors(height, width))


def candidates(graph: Graph, rows: str, priors: str, count: int) -> tuple[str, str, str]:
    """Rows with variances folded in -> scores (N, K), boxes (N, K, 4), landmarks (N, K, 5, 2).

    Selects by logit and decodes only the selected: centre = anchor + offset * side, size = side *
    exp(scale), landmarks like centres (SSD, Liu et al., 2016). The nodes are under ``decode/`` to
    stay float32: in float16 a pixel coordinate would be off by half a pixel.
    """
    with graph.scope("decode"):
        logits = graph.node("Gather", rows, graph.index(VALUES - 1), axis=2)
        best, chosen = graph.nodes("TopK", 2, logits, graph.numbers(count), axis=1)
        prior = graph.node("Gather", priors, chosen, axis=0)
        point, side = graph.split(prior, 2, 1)
        places = graph.node("Unsqueeze", chosen, graph.numbers(2))
        row = graph.node("GatherND", rows, places, batch_dims=1)
        offset, scale, marks, _ = graph.split(row, 2, 2, 10, 1)
        boxes = _boxes(graph, point, side, offset, scale)
        return graph.node("Sigmoid", best), boxes, _landmarks(graph, point, side, marks, count)


def _boxes(graph: Graph, point: str, side: str, offset: str, scale: str) -> str:
    centre = graph.node("Add", point, graph.node("Mul", offset, side))
    reach = graph.node("Mul", graph.node("Exp", scale), graph.node("Mul", side, graph.numbers(0.5)))
    corners = graph.node("Sub", centre, reach), graph.node("Add", centre, reach)
    return graph.node("Concat", *corners, axis=2)


def _landmarks(graph: Graph, point: str, side: str, marks: str, count: int) -> str:
    shape = graph.numbers(0, count, 5, 2)
    offsets = graph.node("Reshape", graph.node("Mul", marks, side), shape)
    return graph.node("Add", offsets, graph.node("Unsqueeze", point, graph.numbers(2)))
