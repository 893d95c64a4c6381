"""Labelled pictures for `emotions compare`."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.detector.labelled import labelled, write
from training.detector.pictures import Pictures
from training.errors import TrainingError

RNG = np.random.default_rng(0)
PICTURES = Pictures(
    RNG.integers(0, 256, (5, 250, 250, 3)).astype(np.uint8),
    RNG.integers(0, 256, (17, 100, 100, 3)).astype(np.uint8),
)


def test_it_writes_pictures_with_labels_and_pictures_without_a_face(tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    write(labelled(PICTURES, 24, 320), out)
    with (out / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pictures = sorted(out.rglob("*.jpg"))
    assert len(pictures) == 24
    named = {row["file"] for row in rows}
    empty = [path for path in pictures if path.relative_to(out).as_posix() not in named]
    assert 0 < len(empty) <= 6
    assert all("without-a-face" in path.parent.name for path in empty)
    for row in rows:
        with Image.open(out / row["file"]) as picture:
            width, height = picture.size
        x1, y1, x2, y2 = (float(row[name]) for name in ("x1", "y1", "x2", "y2"))
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
    with pytest.raises(TrainingError, match="has files already"):
        write(labelled(PICTURES, 4, 320), out)
