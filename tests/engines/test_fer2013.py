"""The three forms of FER-2013 give the same faces back."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.fer2013 import LABELS, Split, read_split


@pytest.fixture
def split() -> Split:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 2)
    return Split(rng.integers(0, 256, (14, 48, 48)).astype(np.uint8), labels)


def write_npz(split: Split, folder: Path) -> Path:
    votes = np.tile(np.arange(10, dtype=np.int8), (len(split), 1))
    path = folder / "fer.npz"
    np.savez(path, x_train=split.faces, y_train=split.labels, ferplus_train=votes)
    return path


def write_csv(split: Split, folder: Path) -> Path:
    path = folder / "fer2013.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for face, label in zip(split.faces, split.labels, strict=True):
            writer.writerow([label, " ".join(map(str, face.ravel())), "Training"])
        writer.writerow([0, " ".join(["7"] * 48 * 48), "PrivateTest"])
    return path


def write_folders(split: Split, folder: Path) -> Path:
    for index, (face, label) in enumerate(zip(split.faces, split.labels, strict=True)):
        path = folder / "train" / LABELS[label] / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), face)
    (folder / "train" / "angry" / "notes.txt").write_text("not an image")
    return folder


@pytest.mark.parametrize("write", [write_npz, write_csv, write_folders])
def test_round_trip(write: object, split: Split, tmp_path: Path) -> None:
    assert callable(write)
    read = read_split(write(split, tmp_path), "train")
    np.testing.assert_array_equal(read.faces, split.faces)
    np.testing.assert_array_equal(read.labels, split.labels)
    assert (read.votes is not None) == (write is write_npz)


@pytest.mark.parametrize("write", [write_npz, write_csv, write_folders])
def test_a_missing_split_is_an_error(write: object, split: Split, tmp_path: Path) -> None:
    assert callable(write)
    with pytest.raises(ValueError, match="public"):
        read_split(write(split, tmp_path), "public")


def test_an_unknown_split_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown split"):
        read_split(tmp_path, "validation")


def test_larger_images_are_reduced_and_broken_ones_named(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "large.png"), np.full((96, 96, 3), 80, np.uint8))
    assert (read_split(tmp_path, "train").faces == 80).all()
    (folder / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.png"):
        read_split(tmp_path, "train")
