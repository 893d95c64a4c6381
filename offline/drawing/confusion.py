"""A confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from analysis.evaluation.fer2013 import LABELS
from offline.drawing.style import font

CELL, MARGIN = 64, 96
LETTERS = 14
# Letters of a label that fit into the margin, and into a column.
LONGEST, LONGEST_ABOVE = 11, 8


def draw_confusion(matrix: list[list[int]], out: Path, labels: Sequence[str] = LABELS) -> None:
    """Draw counts (K, K) as shares of each row: rows are labels, columns predictions."""
    counts = np.array(matrix, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = MARGIN + CELL * len(labels)
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    for i, label in enumerate(labels):
        middle = MARGIN + CELL * i + CELL // 2
        draw.text((MARGIN - 8, middle), _short(label, LONGEST), "black", font(LETTERS), anchor="rm")
        draw.text(
            (middle, MARGIN - 8), _short(label, LONGEST_ABOVE), "black", font(LETTERS), anchor="ms"
        )
    for (row, column), share in np.ndenumerate(shares):
        _cell(draw, MARGIN + CELL * column, MARGIN + CELL * row, float(share))
    image.save(out)


def _short(label: str, most: int) -> str:
    return label if len(label) <= most else label[: most - 1] + "."


def _cell(draw: Any, x: int, y: int, share: float) -> None:
    shade = round(255 * (1 - share))
    draw.rectangle((x, y, x + CELL - 2, y + CELL - 2), (shade, shade, 255))
    ink = "white" if share > 0.5 else "black"
    middle = (x + CELL // 2, y + CELL // 2)
    draw.text(middle, f"{share:.0%}", ink, font(LETTERS), anchor="mm")
