"""Kinds of view for evaluation: photographs set into backgrounds, as films show faces.

The pictures of a kind are a pure function of its name, so all networks see the same ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from engines.types import F32, U8
from training.detector.degrade import compressed, dark, motion, soft
from training.detector.films import MARGINS
from training.detector.paste import FACE_SIZE, Placement, paste
from training.detector.pictures import Pictures
from training.detector.scenes import pick
from training.detector.views import Change, cover, frontal, perspective, squeezed, turned_head

SEED = 2  # different from training
LEAST, MOST = 30, 200  # heights of faces, pixels
CELL = 1.6  # room for a face, in heights
ROWS = 3  # most faces in a row and in a column of a picture
Effect = Callable[[U8, np.random.Generator], U8]


@dataclass(frozen=True)
class Kind:
    """What happens to the photographs and to the picture.

    turn: least and most degrees of an in-plane turn to either side; in_profile: only photographs
    of people in profile.
    """

    name: str
    change: Change = frontal
    turn: tuple[float, float] = (0.0, 0.0)
    effect: Effect | None = None
    covered: bool = False
    in_profile: bool = False
    cut_out: bool = False


@dataclass(frozen=True)
class Picture:
    """`image` (h, w, 3) uint8 RGB, and its N faces.

    boxes: nominal (N, 4), in pixels; rolls: degrees clockwise (N,); people: index of each
    photograph (N,).
    """

    image: U8
    boxes: F32
    rolls: F32
    people: tuple[int, ...]


KINDS = (
    Kind("plain"),
    Kind("turned by 15 to 30°", turn=(15, 30)),
    Kind("turned by 30 to 45°", turn=(30, 45)),
    Kind("turned by 45 to 60°", turn=(45, 60)),
    Kind("lying, 80 to 100°", turn=(80, 100)),
    Kind("upside down, 170 to 190°", turn=(170, 190)),
    Kind("perspective", perspective),
    Kind("squeezed", squeezed),
    Kind("head turned by 15 to 45°", turned_head),
    Kind("in profile", in_profile=True),
    Kind("motion blur", effect=motion),
    Kind("out of focus", effect=soft),
    Kind("compressed", effect=compressed),
    Kind("dark, with noise", effect=dark),
    Kind("partly covered", covered=True),
    Kind("cut out without margin", cut_out=True),
)


def pictures_of(kind: Kind, pictures: Pictures, faces: int, side: int) -> Iterator[Picture]:
    """Yield pictures of `side` pixels with `faces` faces in total, or one face cut out of each."""
    rng = np.random.default_rng([SEED, *kind.name.encode()])
    queue = _order(len(pictures.faces), faces, rng)
    while queue:
        height = float(np.exp(rng.uniform(np.log(LEAST), np.log(MOST))))
        rows = 1 if kind.cut_out else max(1, min(ROWS, int(side / (CELL * height))))
        people, queue = tuple(queue[: rows**2]), queue[rows**2 :]
        where = _places(rows, height, side, kind, rng)
        picture = _picture(kind, pictures, list(zip(people, where, strict=False)), side, rng)
        yield _cut_out(picture, rng) if kind.cut_out else picture


def empty(pictures: Pictures, kind: Kind, side: int, cells: int = 1) -> Iterator[U8]:
    """Yield all backgrounds as RGB pictures of a kind, with `cells` in a row and in a column.

    The pictures have `side` pixels, or the size of a face that is cut out.
    """
    rng = np.random.default_rng(SEED)
    last = len(pictures.backgrounds) - cells**2
    for start in range(0, last + 1, cells**2):
        image = mosaic(pictures.backgrounds[start : start + cells**2], cells, side)
        if kind.cut_out:
            image = _part(image, rng)
        yield _rgb(kind.effect(image, rng) if kind.effect else image)


def mosaic(backgrounds: U8, cells: int, side: int) -> U8:
    """Return backgrounds (cells * cells, h, w, 3) as one picture (side, side, 3)."""
    rows = [np.hstack(list(backgrounds[at : at + cells])) for at in range(0, cells**2, cells)]
    return np.asarray(cv2.resize(np.vstack(rows), (side, side)), np.uint8)


def _part(image: U8, rng: np.random.Generator) -> U8:
    """Return a random part with the shape and the size of a face."""
    height = int(rng.integers(LEAST, MOST + 1))
    width = round(height * FACE_SIZE[0] / FACE_SIZE[1])
    x, y = rng.integers(0, image.shape[1] - width + 1), rng.integers(0, len(image) - height + 1)
    return image[y : y + height, x : x + width]


def _order(photographs: int, faces: int, rng: np.random.Generator) -> list[int]:
    """Return `faces` indices: each photograph is used once before any is used again."""
    rounds = [rng.permutation(photographs) for _ in range(-(-faces // photographs))]
    return [int(index) for index in np.concatenate(rounds)[:faces]]


def _places(
    rows: int, height: float, side: int, kind: Kind, rng: np.random.Generator
) -> list[Placement]:
    """Return a place near the middle of each cell, shifted at random within the free room."""
    cell = side / rows
    room = max(0.0, cell - CELL * height) / 2
    return [
        Placement(
            (
                (column + 0.5) * cell + float(rng.uniform(-room, room)),
                (row + 0.5) * cell + float(rng.uniform(-room, room)),
            ),
            height / FACE_SIZE[1],
            float(rng.uniform(*kind.turn) * rng.choice([-1, 1])),
        )
        for row in range(rows)
        for column in range(rows)
    ]


def _picture(
    kind: Kind,
    pictures: Pictures,
    faces: list[tuple[int, Placement]],
    side: int,
    rng: np.random.Generator,
) -> Picture:
    """Paste the photographs of `faces` into a background."""
    image = np.asarray(cv2.resize(pick(pictures.backgrounds, rng), (side, side)), np.uint8)
    boxes = []
    for index, where in faces:
        view = kind.change(pick(pictures.faces[index : index + 1], rng), rng)
        paste(image, view.image, where, "whole" if kind.cut_out else "head")
        outline = where.locate(view.outline)
        boxes.append([*outline.min(0), *outline.max(0)])
        if kind.covered:
            cover(image, where.face(), rng)
    image = kind.effect(image, rng) if kind.effect else image
    # OpenCV turns a photograph counter-clockwise by a positive angle.
    rolls = np.array([-where.angle for _, where in faces], np.float32)
    people = tuple(index for index, _ in faces)
    return Picture(_rgb(image), np.array(boxes, np.float32), rolls, people)


def _cut_out(picture: Picture, rng: np.random.Generator) -> Picture:
    """Cut out the only face with the `MARGINS` of training."""
    (box,) = picture.boxes
    margins = (box[3] - box[1]) * rng.uniform(*MARGINS, 4)
    left, top = np.maximum(0, np.round(box[:2] - margins[:2])).astype(int)
    right, bottom = np.round(box[2:] + margins[2:]).astype(int)
    image = np.ascontiguousarray(picture.image[top:bottom, left:right])
    inside = np.clip(box - np.tile([left, top], 2), 0, image.shape[1::-1] * 2)
    return Picture(image, inside[None].astype(np.float32), picture.rolls, picture.people)


def _rgb(image: U8) -> U8:
    return np.ascontiguousarray(image[:, :, ::-1])
