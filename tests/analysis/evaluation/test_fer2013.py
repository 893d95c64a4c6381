"""The three forms of FER-2013 give the same faces back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from analysis.evaluation.fer2013 import LABELS, Split, read_split
from engines.errors import DataError


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
def test_every_form_gives_back_the_same_split(write: object, split: Split, tmp_path: Path) -> None:
    assert callable(write)
    read = read_split(write(split, tmp_path), "train")
    np.testing.assert_array_equal(read.faces, split.faces)
    np.testing.assert_array_equal(read.labels, split.labels)
    assert (read.votes is not None) == (write is write_npz)


@pytest.mark.parametrize("write", [write_npz, write_csv, write_folders])
def test_a_missing_split_is_an_error(write: object, split: Split, tmp_path: Path) -> None:
    assert callable(write)
    with pytest.raises(DataError, match="public"):
        read_split(write(split, tmp_path), "public")


def test_an_unknown_split_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown split"):
        read_split(tmp_path, "validation")


def test_larger_images_are_reduced_and_a_broken_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "large.png"), np.full((96, 96, 3), 80, np.uint8))
    assert (read_split(tmp_path, "train").faces == 80).all()
    (folder / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png"):
        read_split(tmp_path, "train")


@pytest.mark.parametrize("shape", [(-1, 48, 48, 1), (-1, 48 * 48)])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_arrays_of_other_shapes_and_types_are_read(
    shape: tuple[int, ...], kind: type, split: Split, tmp_path: Path
) -> None:
    path = tmp_path / "faces.npz"
    np.savez(path, x=split.faces.reshape(shape).astype(kind), y=split.labels.astype(kind))
    read = read_split(path, "public")
    np.testing.assert_array_equal(read.faces, split.faces)
    np.testing.assert_array_equal(read.labels, split.labels)
    assert read.faces.dtype == np.uint8
    assert read.labels.dtype == np.int64


FACES, SEVEN = np.zeros((7, 48, 48), np.uint8), np.arange(7)
REFUSED: dict[str, dict[str, Any]] = {
    "pixels .* float64": {"x": FACES + 0.5, "y": SEVEN},
    r"pixels .* 0 to 255.* 300\.0": {"x": FACES + 300 * np.eye(48), "y": SEVEN},
    "pixels .* <U": {"x": FACES.astype(str), "y": SEVEN},
    r"faces .*\(N, 48, 48\).*\(7, 96, 96\)": {"x": np.zeros((7, 96, 96)), "y": SEVEN},
    r"labels .*\(N,\).*\(7, 7\) for 7": {"x": FACES, "y": np.eye(7)},
    r"labels .*\(N,\).*\(6,\) for 7": {"x": FACES, "y": SEVEN[:6]},
    "labels .* 0 to 6.* 1 to 7": {"x": FACES, "y": SEVEN + 1},
    "labels .* 0 to 6.* -1 to 5": {"x": FACES, "y": SEVEN - 1},
    "labels .* nan to nan": {"x": FACES, "y": SEVEN * np.nan},
    "no y_train.* x_train": {"x_train": FACES},
    r"votes .*\(N, 10\)": {"x_train": FACES, "y_train": SEVEN, "ferplus_train": np.eye(7)},
    "empty": {"x": FACES[:0], "y": SEVEN[:0]},
}


@pytest.mark.parametrize("why", REFUSED)
def test_arrays_of_another_form_are_errors(why: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    np.savez(path, **REFUSED[why])
    with pytest.raises(DataError, match=why):
        read_split(path, "train")


HEAD, ZEROS = "emotion,pixels,Usage", " ".join(["0"] * 48 * 48)
LINES = {
    "first line .* Usage, emotion, pixels": "3,1,2\n4,5,6\n",
    "first line .* Usage": "emotion,pixels\n",
    "line 3 .* 2 pixels.* 2304": f"{HEAD}\n3,{ZEROS},Training\n3,1 2,Training\n",
    "line 2 .* 0 to 255": f"{HEAD}\n3,256 {ZEROS},Training\n",
    "line 2 .* 0 pixels": "Usage,emotion,pixels\nTraining,3\n",
    "invalid literal": f"Usage,pixels,emotion\nTraining,{ZEROS}\n",
    "field larger than": f"{HEAD}\n3,{ZEROS * 30},Training\n",
    "labels .* 0 to 6.* 7 to 7": f"{HEAD}\n7,{ZEROS},Training\n",
}


@pytest.mark.parametrize("why", LINES)
def test_lines_of_another_form_are_errors(why: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(LINES[why])
    with pytest.raises(DataError, match=why):
        read_split(path, "train")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_files_without_arrays_are_errors(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"\.npz|no x_train"):
        read_split(path, "train")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.npz: No such file or directory$"):
        read_split(tmp_path / "no.npz", "train")
