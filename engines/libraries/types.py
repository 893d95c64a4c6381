"""A library with a detector, and the outputs of its runners."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from engines.catalog import ModelSpec
from engines.types import F32, Array, Runner

# Rows per image in the outputs of a runner.
MOST_FACES = 200


class Library(Protocol):
    """A library; `name` is that of its package."""

    name: str

    def version(self) -> str:
        """Return its version.

        Raises:
            LibraryMissingError: it is not installed; the message names the command.
        """
        ...

    def weights(self) -> tuple[Path, ...]:
        """Return the files with its weights; errors as `version`."""
        ...

    def open(self, spec: ModelSpec) -> Runner:
        """Load the detector; its runner has the inputs and outputs of RetinaFace."""
        ...


class Found(NamedTuple):
    """The faces in one image: boxes (K, 4), landmarks (K, 5, 2), scores (K,), in its pixels."""

    boxes: Array
    landmarks: Array
    scores: Array


def outputs(images: Sequence[Found]) -> dict[str, Array]:
    """Return the faces of N images as the outputs of RetinaFace.

    `boxes` (N, 200, 4), `landmarks` (N, 200, 5, 2) and `scores` (N, 200), float32. The rows without
    a face are zero. Of more faces, those with the highest scores are kept.
    """
    columns = zip(*map(_rows, images), strict=True)
    return {name: np.stack(column) for name, column in zip(Found._fields, columns, strict=True)}


def _rows(found: Found) -> Found:
    order = np.argsort(-found.scores, kind="stable")[:MOST_FACES]
    return Found(*(_padded(values[order]) for values in found))


def _padded(values: Array) -> F32:
    padded = np.zeros((MOST_FACES, *values.shape[1:]), np.float32)
    padded[: len(values)] = values
    return padded
