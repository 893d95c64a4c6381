"""Synthetic scenes: photographs of people pasted into pictures without people.

A scene is a pure function of (seed, index, size), so it does not depend on the number of workers.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.types import U8
from training.detector.degrade import degrade, tone
from training.detector.paste import FACE_SIZE, Box, Placement, paste, shared
from training.detector.pictures import Pictures
from training.detector.textures import relief, texture

SMALLEST, LARGEST = 10.0, 600.0  # face heights, pixels
MAX_TURN = 30.0  # degrees
TEXTURES, SCRAPS_OF_PEOPLE = 0.25, 0.25  # shares of the cut-outs in backdrops


@dataclass(frozen=True)
class Scene:
    """`image` (S, S, 3) uint8 BGR; `faces` (N, 4) nominal boxes x1 y1 x2 y2 of visible faces."""

    image: U8
    faces: NDArray[np.float32]


def pick(pictures: NDArray[np.uint8], rng: np.random.Generator) -> U8:
    """Return a random picture, mirrored half of the time."""
    image = pictures[rng.integers(len(pictures))]
    return np.asarray(cv2.flip(image, 1)) if rng.random() < 0.5 else image


def backdrop(pictures: Pictures, size: int, rng: np.random.Generator) -> U8:
    """Return a backdrop (size, size, 3): one picture, a mosaic, or one colour."""
    if rng.random() < 0.08:
        return np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    cells = int(rng.choice([1, 2, 3, 4], p=[0.45, 0.3, 0.15, 0.1]))
    edges = np.linspace(0, size, cells + 1).round().astype(int)
    canvas = np.empty((size, size, 3), np.uint8)
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            cut = scrap(pictures, rng)
            canvas[top:bottom, left:right] = cv2.resize(cut, (int(right - left), int(bottom - top)))
    return canvas


def scrap(pictures: Pictures, rng: np.random.Generator) -> U8:
    """Return a part of a background, a pattern, or a photograph of people.

    Landscapes alone lack clothes, flags, print and limbs.
    """
    draw = rng.random()
    if draw < TEXTURES:
        return texture(100, rng)
    if draw < TEXTURES + SCRAPS_OF_PEOPLE:
        image, side = pick(pictures.faces, rng), int(rng.integers(40, 121))
        image = image[::-1] if rng.random() < 0.5 else image
        image = relief(image, rng) if rng.random() < 0.2 else image
    else:
        image, side = pick(pictures.backgrounds, rng), int(rng.integers(60, 101))
    top, left = rng.integers(0, len(image) - side + 1, 2)
    return image[top : top + side, left : left + side]


def face_height(size: int, rng: np.random.Generator) -> float:
    """Return a log-uniform height, so that every octave is equally frequent."""
    return float(np.exp(rng.uniform(np.log(SMALLEST), np.log(min(LARGEST, 1.1 * size)))))


def scatter(size: int, rng: np.random.Generator) -> list[Placement]:
    """Place 1 to 12 faces anywhere, small ones over large ones, some cut by the border."""
    heights = sorted((face_height(size, rng) for _ in range(rng.integers(1, 13))), reverse=True)
    return [
        Placement(
            (float(rng.uniform(-0.03, 1.03) * size), float(rng.uniform(-0.03, 1.03) * size)),
            height / FACE_SIZE[1],
            float(rng.uniform(-MAX_TURN, MAX_TURN) * (rng.random() < 0.6)),
        )
        for height in heights
    ]


def mosaic(size: int, rng: np.random.Generator) -> list[Placement]:
    """Place photographs edge to edge with some jitter, at least two per row: a crowd."""
    cells = int(rng.integers(2, max(3, round(size / 40)) + 1))
    side = size / cells
    return [
        Placement(
            ((column + rng.normal(0.5, 0.06)) * side, (row + rng.normal(0.5, 0.06)) * side),
            side * rng.uniform(0.95, 1.35),
            float(rng.normal(0, 8)),
        )
        for row in range(cells)
        for column in range(cells)
    ]


def portrait(size: int, rng: np.random.Generator) -> list[Placement]:
    """Place one photograph, with a face of a quarter to all of the frame."""
    side = size * rng.uniform(0.25, 1.0) / FACE_SIZE[1]
    reach = 0.18 * side if side > size else (size - side) / 2 + 0.18 * side
    middle = size / 2 + rng.uniform(-reach, reach, 2) * 0.7
    centre = (float(middle[0]), float(middle[1]))
    return [Placement(centre, side, float(rng.normal(0, 10)))]


LAYOUTS = ((scatter, 0.5), (mosaic, 0.2), (portrait, 0.18))  # the rest has no face


def layout(size: int, rng: np.random.Generator) -> list[Placement]:
    """Return the places of the photographs in one scene."""
    draw = rng.random()
    for plan, share in LAYOUTS:
        if draw < share:
            return plan(size, rng)
        draw -= share
    return []


def letterbox(image: U8, rng: np.random.Generator) -> Box:
    """Blacken two opposite margins in place, like the padding of an engine; return the rest."""
    size = len(image)
    low, high = (int(value * size) for value in rng.dirichlet((1, 4, 1)).cumsum()[:2])
    if rng.random() < 0.5:
        image[:low] = image[high:] = 0
        return (0, low, size, high)
    image[:, :low] = image[:, high:] = 0
    return (low, 0, high, size)


def faces_in_view(placements: list[Placement], frame: Box) -> NDArray[np.float32]:
    """Return nominal boxes (N, 4) of the faces that are visible for the most part."""
    faces = []
    for number, where in enumerate(placements):
        face = where.face()
        hidden = max((shared(face, w.square()) for w in placements[number + 1 :]), default=0.0)
        if hidden <= 0.2 and shared(face, frame) >= 0.9:
            faces.append(face)
    return np.array(faces, np.float32).reshape(-1, 4)


def make_scene(pictures: Pictures, size: int, seed: int, index: int) -> Scene:
    """Return scene number `index` of the series `seed`, `size` pixels square."""
    rng = np.random.default_rng((seed, index))
    image = backdrop(pictures, size, rng)
    placements = layout(size, rng)
    for where in placements:
        photo = pick(pictures.faces, rng)
        if rng.random() < 0.4:
            photo = tone(photo, rng, 0.7)
        paste(image, photo, where, "whole" if rng.random() < 0.5 else "head")
    image = degrade(image, rng)
    frame = letterbox(image, rng) if rng.random() < 0.15 else (0, 0, size, size)
    return Scene(image, faces_in_view(placements, frame))
