"""Scenes as films have them, each with the clear picture in which the teacher finds the faces.

The teacher sees the scene before covers, blur, darkness, compression and cuts. So the student
learns to find faces that the teacher would miss. Where a face is no longer recognizable, the loss
is smallest if the score is the share of such places that have a face, which is low.
"""

from dataclasses import dataclass

import numpy as np

from engines.types import U8
from training.detector.degrade import compressed, dark, degrade, motion, soft
from training.detector.paste import FACE_SIZE, Placement, paste
from training.detector.pictures import Pictures
from training.detector.scenes import backdrop, layout, make_scene, pick
from training.detector.views import cover, varied

PADDING_BGR = (104, 117, 123)
# Shares: PLAIN of the scenes are as in `scenes`; CROPPED of the others have one face, cut out;
# EMPTY of the rest have no face.
PLAIN, CROPPED, EMPTY = 0.3, 0.2, 0.25
COVERED, PROFILES, TILTED = 0.25, 0.25, 1 / 3  # shares of the photographs
MAX_TILT = 60.0  # degrees
LOW, HIGH = 24, 320  # heights of cut faces, pixels
MARGINS = (-0.08, 0.2)  # around cut faces, as shares of their height
EFFECTS = ((dark, 0.18), (motion, 0.16), (soft, 0.16), (compressed, 0.15))  # the rest: `degrade`


@dataclass(frozen=True)
class Pair:
    """The same scene twice, (S, S, 3) uint8 BGR: for the student, and `clear` for the teacher."""

    image: U8
    clear: U8


def make_pair(pictures: Pictures, profiles: U8, size: int, seed: int, index: int) -> Pair:
    """Return pair number `index` of the series `seed`, `size` pixels square.

    profiles: photographs (N, 250, 250, 3) uint8 BGR of people in profile; N may be 0.
    """
    rng = np.random.default_rng((seed, index, 1))
    if rng.random() < PLAIN:
        image = make_scene(pictures, size, seed, index).image
        return Pair(image, image)
    clear = backdrop(pictures, size, rng)
    cropped = rng.random() < CROPPED
    places = [alone(size, rng)] if cropped else [tilted(each, rng) for each in layout(size, rng)]
    if not cropped and rng.random() < EMPTY:
        places = []
    image = clear.copy()
    for where in places:
        people = profiles if len(profiles) and rng.random() < PROFILES else pictures.faces
        add(varied(pick(people, rng), rng), where, Pair(image, clear), cropped, rng)
    image = film(image, rng)
    if cropped:
        cut_out(image, places[0], rng)
    return Pair(image, clear)


def add(photo: U8, where: Placement, pair: Pair, whole: bool, rng: np.random.Generator) -> None:
    """Paste a photograph into both pictures in place, and cover some of the student's faces."""
    kind = "whole" if whole or rng.random() < 0.5 else "head"
    paste(pair.clear, photo, where, kind)
    paste(pair.image, photo, where, kind)
    if rng.random() < COVERED:
        cover(pair.image, where.face(), rng)


def alone(size: int, rng: np.random.Generator) -> Placement:
    """Place a face that will be cut out: in the upper left corner, or anywhere."""
    height = float(np.exp(rng.uniform(np.log(LOW), np.log(min(HIGH, 0.9 * size)))))
    width = height * FACE_SIZE[0] / FACE_SIZE[1]
    room = np.array([size - width, size - height])
    x, y = room * rng.uniform(0, 1, 2) * (rng.random() < 0.5) + np.array([width, height]) / 2
    side = height / FACE_SIZE[1]
    # The face lies a little below the middle of its photograph.
    return Placement((float(x), float(y - 0.01 * side)), side)


def cut_out(image: U8, where: Placement, rng: np.random.Generator) -> None:
    """Replace everything around the face by the padding of an engine, in place."""
    x1, y1, x2, y2 = where.face()
    margins = (y2 - y1) * rng.uniform(*MARGINS, 4)
    left, top = max(0, round(x1 - margins[0])), max(0, round(y1 - margins[1]))
    right, bottom = round(x2 + margins[2]), round(y2 + margins[3])
    image[:top] = image[bottom:] = PADDING_BGR
    image[:, :left] = image[:, right:] = PADDING_BGR


def tilted(where: Placement, rng: np.random.Generator) -> Placement:
    """Turn a third of the photographs by up to 60 degrees."""
    if rng.random() >= TILTED:
        return where
    return Placement(where.centre, where.side, float(rng.uniform(-MAX_TILT, MAX_TILT)))


def film(image: U8, rng: np.random.Generator) -> U8:
    """Apply one strong effect, or those of `degrade`."""
    draw = rng.random()
    for effect, share in EFFECTS:
        if draw < share:
            return effect(image, rng)
        draw -= share
    return degrade(image, rng)
