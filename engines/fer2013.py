"""Read FER-2013 in the forms it comes in: the CSV file, folders of images, ``.npz``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE = 48
_USAGE = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}
_FOLDERS = {"train": ("train",), "public": ("public", "test"), "private": ("private",)}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class Split:
    """Faces uint8 (N, 48, 48), labels (N,) as indices of ``LABELS``, FER+ votes (N, 10) or None."""

    faces: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def read_split(source: Path, name: str) -> Split:
    """Read the split ``train``, ``public`` or ``private`` of ``source``.

    ``source`` is the challenge's CSV file, a folder ``SPLIT/LABEL/*.png``, or an
    ``.npz`` with ``x_SPLIT``, ``y_SPLIT`` and perhaps ``ferplus_SPLIT``, or with ``x`` and ``y``
    alone, which are then the split asked for.

    Raises:
        ValueError: the split is unknown, missing or empty.

    """
    if name not in _USAGE:
        raise ValueError(f"unknown split {name!r}: one of {', '.join(_USAGE)}")
    if source.is_dir():
        split = _read_folders(source, name)
    elif source.suffix == ".npz":
        split = _read_npz(source, name)
    else:
        split = _read_csv(source, name)
    if not len(split):
        raise ValueError(f"{source}: the split {name!r} is empty")
    return split


def _read_npz(path: Path, name: str) -> Split:
    with np.load(path, allow_pickle=False) as arrays:
        if {"x", "y"} <= set(arrays):
            return Split(arrays["x"], arrays["y"].astype(np.int64))
        if f"x_{name}" not in arrays:
            raise ValueError(f"{path}: no split {name!r}")
        votes = arrays.get(f"ferplus_{name}")
        return Split(
            arrays[f"x_{name}"],
            arrays[f"y_{name}"].astype(np.int64),
            None if votes is None else votes.astype(np.int64),
        )


def _read_csv(path: Path, name: str) -> Split:
    with path.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["Usage"] == _USAGE[name]]
    pixels = [np.array(row["pixels"].split(), np.uint8) for row in rows]
    labels = np.array([int(row["emotion"]) for row in rows], np.int64)
    return Split(np.array(pixels, np.uint8).reshape(-1, SIDE, SIDE), labels)


def _read_folders(root: Path, name: str) -> Split:
    folder = next((root / each for each in _FOLDERS[name] if (root / each).is_dir()), None)
    if folder is None:
        raise ValueError(f"{root}: no folder for the split {name!r}")
    files = [
        (path, index)
        for index, label in enumerate(LABELS)
        for path in sorted((folder / label).glob("*"))
        if path.suffix.lower() in _SUFFIXES
    ]
    faces = np.array([_read_face(path) for path, _ in files], np.uint8).reshape(-1, SIDE, SIDE)
    return Split(faces, np.array([index for _, index in files], np.int64))


def _read_face(path: Path) -> npt.NDArray[np.uint8]:
    import cv2  # noqa: PLC0415 - arrays are read, and trained on, where there is no OpenCV

    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path}: not an image")
    if image.shape != (SIDE, SIDE):
        image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)
