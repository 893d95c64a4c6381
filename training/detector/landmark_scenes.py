"""Scenes with known landmarks: annotated faces set into pictures without any."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.detector.paste import Placement, paste
from training.detector.pictures import Image, Pictures, decode
from training.detector.scenes import backdrop

CELLS = 2  # faces in a row and in a column
SMALLEST = 0.25  # side of a picture over that of its cell
# The names of pictures whose points lie some 26 pixels too high, by eye and by every detector.
MISPLACED = "_"
Annotated = list[tuple[Image, NDArray[np.float64]]]


def load(path: Path, limit: int) -> Annotated:
    """Read evenly spread faces of the archive, and their points (5, 2), fractions of the side."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("landmarks.txt").decode().splitlines()
        lines = [line for line in lines if not line.startswith(MISPLACED)]
        faces = []
        for line in lines[:: max(1, len(lines) // limit)][:limit]:
            name, *numbers = line.split()
            image = decode(archive.read(f"faces/{name}"), name)
            points = np.array(numbers, np.float64).reshape(5, 2)
            faces.append((image, (points + 0.5) / len(image)))
        return faces


def scenes(
    faces: Annotated, pictures: Pictures, size: int, seed: int
) -> Iterator[tuple[Image, list[NDArray[np.float32]]]]:
    """Pictures of `size` pixels with four faces, 20 degrees of turn at most, and their points."""
    rng, cell = np.random.default_rng(seed), size / CELLS
    for start in range(0, len(faces), CELLS**2):
        image, points = backdrop(pictures, size, rng), []
        for place, (photo, fractions) in enumerate(faces[start : start + CELLS**2]):
            middle = ((place % CELLS + 0.5) * cell, (place // CELLS + 0.5) * cell)
            side = cell * float(np.exp(rng.uniform(np.log(SMALLEST), 0)))
            where = Placement(middle, side, float(rng.uniform(-20, 20)))
            paste(image, photo, where)
            points.append(where.locate(fractions))
        yield image, points
