"""Random views of aligned faces; the teacher labels all of them."""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from analysis.crops import ARCFACE_SIZE
from engines.types import U8
from training.detector.degrade import degrade, jpeg
from training.embedder.faces import SIDE

MEAN, DEVIATION = 127.5, 128.0
PLAIN = 0.4  # share of the views that are neither blended nor degraded


class Counting(Sampler[int]):
    """Numbers from `first` on, without an end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.first)


class Views(Dataset[U8]):
    """View number `index` of the series `seed`: uint8 (112, 112, 3)."""

    def __init__(self, images: U8, seed: int) -> None:
        self.images, self.seed = images, seed

    def __getitem__(self, index: int) -> U8:
        return view(self.images, np.random.default_rng((self.seed, index)))


def batches(views: Views, batch: int, first: int, workers: int) -> Iterator[Tensor]:
    """Yield batches from number `first` on, without an end: float (B, 3, 112, 112), normalised.

    OpenCV uses one thread from here on: a worker that is forked beside its thread pool hangs.
    """
    cv2.setNumThreads(1)
    for crops in DataLoader(
        views, batch, sampler=Counting(first * batch), num_workers=workers, collate_fn=np.stack
    ):
        yield normalised(crops)


def normalised(crops: U8) -> Tensor:
    """Uint8 (B, 112, 112, 3) RGB to the input of the networks."""
    planes = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
    return (planes.float() - MEAN) / DEVIATION


def middle(images: U8) -> U8:
    """Return the crops of the service: (N, 112, 112, 3)."""
    margin = (SIDE - ARCFACE_SIZE) // 2
    return images[:, margin:-margin, margin:-margin]


def view(images: U8, rng: np.random.Generator) -> U8:
    """Return one face or a blend of two, uint8 (112, 112, 3)."""
    face = shifted(images[rng.integers(len(images))], rng)
    if rng.random() < PLAIN:
        return face
    if rng.random() < 0.4:
        face = blend(face, shifted(images[rng.integers(len(images))], rng), rng)
    if rng.random() < 0.1:
        face = cover(face, images[rng.integers(len(images))], rng)
    if rng.random() < 0.6:
        face = degrade(face, rng)
    if rng.random() < 0.1:
        face = tiny(face, rng)
    return face


def shifted(face: U8, rng: np.random.Generator) -> U8:
    """Crop with errors of a detector: turned, scaled, moved; half of the crops are mirrored."""
    loose = 2.0 if rng.random() < 0.15 else 1.0
    turn, scale = rng.normal(0, 2.5 * loose), np.exp(rng.normal(0, 0.03 * loose))
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn, scale)
    move = (ARCFACE_SIZE - SIDE) / 2 + rng.normal(0, 1.5 * loose, 2)
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + move])
    size = (ARCFACE_SIZE, ARCFACE_SIZE)
    crop = np.asarray(cv2.warpAffine(face, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    return np.ascontiguousarray(crop[:, ::-1]) if rng.random() < 0.5 else crop


def blend(one: U8, other: U8, rng: np.random.Generator) -> U8:
    """Blend two faces evenly, or side by side with a soft edge."""
    if rng.random() < 0.5:
        share = np.full((ARCFACE_SIZE, ARCFACE_SIZE), rng.uniform(0.2, 0.8))
    else:
        angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(2, 25)
        rows, columns = np.mgrid[:ARCFACE_SIZE, :ARCFACE_SIZE] - rng.uniform(30, 80, (2, 1, 1))
        share = 1 / (1 + np.exp(-(rows * np.sin(angle) + columns * np.cos(angle)) / soft))
    mixed = one + share[..., None] * (other.astype(np.float64) - one)
    return np.round(mixed).astype(np.uint8)


def cover(face: U8, other: U8, rng: np.random.Generator) -> U8:
    """Cover a rectangle with one colour or with a part of another picture."""
    height, width = rng.integers(15, 60, 2)
    top, left = rng.integers(0, ARCFACE_SIZE - height), rng.integers(0, ARCFACE_SIZE - width)
    patch = other[:height, :width] if rng.random() < 0.5 else rng.integers(0, 256, 3)
    covered = face.copy()
    covered[top : top + height, left : left + width] = patch
    return covered


def tiny(face: U8, rng: np.random.Generator) -> U8:
    """Shrink to the size of faces in a crowd, 14 to 40 pixels, enlarge and compress."""
    side = int(rng.integers(14, 41))
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (ARCFACE_SIZE, ARCFACE_SIZE), interpolation=cv2.INTER_LINEAR)
    return jpeg(np.asarray(large, np.uint8), rng)
