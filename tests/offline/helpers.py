"""Faces without a photograph, an analyzer without networks, tables as rows, and the command."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from analysis.document import Face, ImageResult, Pose
from analysis.evaluation.fer2013 import LABELS
from engines.catalog import SAME_PERSON
from engines.types import U8
from offline.cli.main import app


def face(
    x: float = 0.0,
    *,
    emotion: str = "happy",
    score: float = 0.5,
    quality: float = 0.9,
    side: float = 100.0,
    embedding: Sequence[float] | None = None,
) -> Face:
    """A face of `side` x `side` pixels whose left edge is at `x`."""
    return Face(
        box=[x, 0, x + side, side],
        score=0.9,
        landmarks=[[x, 0]] * 5,
        emotion=emotion,
        scores=dict.fromkeys(LABELS, (1 - score) / 6) | {emotion: score},
        pose=Pose(yaw=20.5, pitch=-3.0, roll=1.5),
        quality=quality,
        embedding=list(embedding) if embedding is not None else None,
    )


def result(name: str, *faces: Face) -> ImageResult:
    return ImageResult(id=name, width=400, height=100, turned=0, error=None, faces=list(faces))


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


def emotions(*arguments: str | Path, status: int = 0) -> str:
    """Run the command; return its output."""
    ended = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert ended.exit_code == status, ended.output
    return ended.output
