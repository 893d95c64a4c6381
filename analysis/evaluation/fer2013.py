"""FER-2013 in the forms in which it is distributed: CSV file, folders of images, ``.npz``."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engines.errors import DataError

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE = 48
# FER+ has ten voters per face. Their votes are counted in ten columns: eight emotions, unknown, no
# face. -1 means that there are no votes.
VOTES = 10
_USAGE = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}
_FOLDERS = {"train": ("train",), "public": ("public", "test"), "private": ("private",)}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class Split:
    """Faces (N, 48, 48) uint8 with their labels.

    labels: (N,) int64, indices of ``LABELS``; votes: FER+ votes (N, 10) int64, or None.
    """

    faces: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def read_split(source: Path, name: str) -> Split:
    """Read the split ``train``, ``public`` or ``private`` of ``source``.

    ``source`` is the CSV file of the challenge, a folder ``SPLIT/LABEL/*.png``, or an ``.npz``. The
    ``.npz`` has ``x_SPLIT``, ``y_SPLIT`` and perhaps ``ferplus_SPLIT``, or only ``x`` and ``y``,
    which are then taken for the requested split. Arrays of faces may also be (N, 48, 48, 1) or
    (N, 2304), of any type, with whole numbers from 0 to 255.

    Raises:
        DataError: the split is unknown, missing, empty, or in another form.
    """
    if name not in _USAGE:
        raise DataError(f"unknown split {name!r}: one of {', '.join(_USAGE)}")
    try:
        split = _checked(*_read(source, name))
    except (OSError, ValueError, csv.Error, zipfile.BadZipFile) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"cannot read the split {name!r} of {source}: {why}") from error
    if not len(split):
        raise DataError(f"{source}: the split {name!r} is empty")
    return split


def _read(source: Path, name: str) -> tuple[npt.ArrayLike, ...]:
    """Return faces, labels and perhaps votes, unchecked."""
    if source.is_dir():
        return _read_folders(source, name)
    if source.suffix == ".npz":
        return _read_npz(source, name)
    return _read_csv(source, name)


def _read_npz(path: Path, name: str) -> tuple[npt.ArrayLike, ...]:
    if path.exists() and not zipfile.is_zipfile(path):
        raise ValueError("not an .npz file (a zip archive of arrays)")
    with np.load(path, allow_pickle=False) as arrays:
        ending = "" if {"x", "y"} <= set(arrays) else f"_{name}"
        if missing := {f"x{ending}", f"y{ending}"} - set(arrays):
            found = ", ".join(arrays) or "nothing"
            raise ValueError(f"it has no {' and no '.join(sorted(missing))}, but {found}")
        votes = f"ferplus_{name}"
        voted = [arrays[votes]] if ending and votes in arrays else []
        return arrays[f"x{ending}"], arrays[f"y{ending}"], *voted


def _read_csv(path: Path, name: str) -> tuple[npt.ArrayLike, ...]:
    with path.open(newline="") as lines:
        rows = csv.DictReader(lines)
        if missing := {"emotion", "pixels", "Usage"} - set(rows.fieldnames or ()):
            raise ValueError(f"its first line lacks {', '.join(sorted(missing))}")
        used = [(row, rows.line_num) for row in rows if row["Usage"] == _USAGE[name]]
    faces = np.array([_pixels(row["pixels"], line) for row, line in used], np.uint8)
    return faces.reshape(-1, SIDE, SIDE), [int(row["emotion"] or "") for row, _ in used]


def _pixels(text: str | None, line: int) -> npt.NDArray[np.uint8]:
    try:
        pixels = np.array((text or "").split(), np.uint8)
    except (OverflowError, ValueError):
        raise ValueError(f"line {line} has pixels that are not numbers from 0 to 255") from None
    if pixels.size != SIDE * SIDE:
        raise ValueError(f"line {line} has {pixels.size} pixels, not {SIDE * SIDE}")
    return pixels


def _read_folders(root: Path, name: str) -> tuple[npt.ArrayLike, ...]:
    folder = next((root / each for each in _FOLDERS[name] if (root / each).is_dir()), None)
    if folder is None:
        raise ValueError(f"it has no folder {' or '.join(_FOLDERS[name])}")
    files = [
        (path, index)
        for index, label in enumerate(LABELS)
        for path in sorted((folder / label).glob("*"))
        if path.suffix.lower() in _SUFFIXES
    ]
    faces = np.array([_read_face(path) for path, _ in files], np.uint8).reshape(-1, SIDE, SIDE)
    return faces, [index for _, index in files]


def _checked(
    faces: npt.ArrayLike, labels: npt.ArrayLike, votes: npt.ArrayLike | None = None
) -> Split:
    """Check the arrays, and convert them without loss to the types of a split."""
    pixels = _whole(faces, 0, 255, "pixels")
    if pixels.shape[1:] not in {(SIDE, SIDE), (SIDE, SIDE, 1), (SIDE * SIDE,)}:
        raise ValueError(f"faces must be (N, {SIDE}, {SIDE}), not {pixels.shape}")
    classes = _whole(labels, 0, len(LABELS) - 1, "labels")
    if classes.shape != pixels.shape[:1]:
        raise ValueError(f"labels must be (N,), not {classes.shape} for {len(pixels)} faces")
    counts = None if votes is None else _whole(votes, -1, VOTES, "votes").astype(np.int64)
    if counts is not None and counts.shape != (len(pixels), VOTES):
        raise ValueError(f"votes must be (N, {VOTES}), not {counts.shape} for {len(pixels)} faces")
    faces = pixels.astype(np.uint8).reshape(-1, SIDE, SIDE)
    return Split(faces, classes.astype(np.int64), counts)


def _whole(values: npt.ArrayLike, least: int, most: int, what: str) -> npt.NDArray[np.generic]:
    array = np.asarray(values)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"{what} must be numbers, not {array.dtype}")
    if array.size and not (least <= array.min() and array.max() <= most):
        raise ValueError(f"{what} must be {least} to {most}, not {array.min()} to {array.max()}")
    if array.dtype.kind == "f" and (array % 1).any():
        raise ValueError(f"{what} must be whole numbers, not {array.dtype} with fractions")
    return array


def _read_face(path: Path) -> npt.NDArray[np.uint8]:
    import cv2  # noqa: PLC0415  (training from arrays needs no OpenCV)

    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path}: not an image")
    if image.shape != (SIDE, SIDE):
        image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)
