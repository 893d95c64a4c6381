"""Faces without a photograph, an analyzer without networks, and tables as rows."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from analysis.document import Face, ImageResult
from analysis.evaluation.fer2013 import LABELS
from engines.catalog import SAME_PERSON
from engines.types import U8


def face(x: float = 0.0, *, happy: float = 0.5, embedding: Sequence[float] | None = None) -> Face:
    """A face of 100 x 100 pixels whose left edge is at `x`."""
    return Face(
        box=[x, 0, x + 100, 100],
        score=0.9,
        landmarks=[[x, 0]] * 5,
        emotion="happy",
        scores=dict.fromkeys(LABELS, (1 - happy) / 6) | {"happy": happy},
        embedding=list(embedding) if embedding is not None else None,
    )


def result(name: str, *faces: Face) -> ImageResult:
    return ImageResult(id=name, width=400, height=100, error=None, faces=list(faces))


class FakeAnalyzer:
    """Finds no faces; records the names it is given, and then calls `then` with their number."""

    labels: tuple[str, ...] = LABELS
    embeds = False
    same_person = SAME_PERSON

    def __init__(self, then: Callable[[int], None] = lambda number: None) -> None:
        self.names: list[str] = []
        self._then = then

    async def analyze(self, name: str, _: bytes) -> tuple[ImageResult, U8]:
        self._record(name)
        return result(name), np.zeros((8, 8, 3), np.uint8)

    async def analyze_frame(self, name: str, _: U8) -> ImageResult:
        self._record(name)
        return result(name)

    def _record(self, name: str) -> None:
        self.names.append(name)
        self._then(len(self.names))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
