"""Photographs of people, and the label that a clear frontal view of each gives."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.pose import poses
from analysis.quality import measures
from engines.types import U8
from training.detector.pictures import decode, names_in
from training.quality.reader import Reader, Reading

ARCHIVE = "faces_unlabelled.zip"
# The detector and the landmark network did not train on the last photographs by name, see
# `training.detector.pictures.Pictures.split`.
HELD_OUT = 0.1
# A photograph is a clear frontal view if its face meets these limits (pixels, degrees, sharpness as
# in `analysis.quality`), and if its mirror image has the same label. `CERTAIN` is the least mean
# probability of the label.
LEAST_HEIGHT, MOST_ANGLE, LEAST_SHARPNESS, CERTAIN = 80, 20, -1.5, 0.4


class Person(NamedTuple):
    """A clear frontal photograph (S, S, 3) uint8 BGR, and the index of its emotion."""

    photo: U8
    label: int


def names(data: Path) -> tuple[list[str], list[str]]:
    """Return the names of photographs to fit on, and those of other people to evaluate on."""
    with zipfile.ZipFile(data / ARCHIVE) as archive:
        ordered = names_in(archive)
    count = round(len(ordered) * (1 - HELD_OUT))
    fit, rest = ordered[:count], ordered[count:]
    known = {_person(name) for name in fit}
    return fit, [name for name in rest if _person(name) not in known]


def _person(name: str) -> str:
    """Return the person of a photograph `faces/First_Last_0001.jpg`."""
    return Path(name).stem.rpartition("_")[0]


def clear(data: Path, chosen: Sequence[str], reader: Reader) -> Iterator[Person]:
    """Yield those of the `chosen` photographs that are clear frontal views."""
    with zipfile.ZipFile(data / ARCHIVE) as archive:
        for name in chosen:
            photo = decode(archive.read(name), name)
            mirrored = np.ascontiguousarray(photo[:, ::-1])
            label = clear_label(reader.read(photo), reader.read(mirrored))
            if label is not None:
                yield Person(photo, label)


def clear_label(one: Reading | None, mirrored: Reading | None) -> int | None:
    """Return the label of a clear frontal view, or None if the view is not clear."""
    if one is None or mirrored is None or not _frontal(one):
        return None
    scores = (one.scores + mirrored.scores) / 2
    label = int(scores.argmax())
    agreed = label == one.scores.argmax() == mirrored.scores.argmax()
    return label if agreed and scores[label] >= CERTAIN else None


def _frontal(reading: Reading) -> bool:
    (found,) = measures(reading.face, [reading.crop], reading.scores[None])
    height = reading.face.boxes[0, 3] - reading.face.boxes[0, 1]
    yaw, pitch, roll = np.abs(poses(reading.face.landmarks)[0])
    return bool(
        height >= LEAST_HEIGHT
        and max(yaw, pitch, roll) <= MOST_ANGLE
        and found["sharpness"] >= LEAST_SHARPNESS
    )
