"""The training of the landmark network."""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from copy import deepcopy

import cv2
import numpy as np
import onnx
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from analysis.landmarks import TEMPLATE, eyes
from training import loop
from training.curve import Row
from training.descent import Descent, Settings
from training.detector.annotated import Marked
from training.landmarks.network import Placer, export
from training.landmarks.views import view

ROUND = 1e-3  # below this many distances of the eyes, the loss is quadratic
HELD_OUT = 256  # held-out views for the curve
Views = tuple[Tensor, Tensor, Tensor]  # crops, their landmarks, their distances of the eyes


class Training(Descent[Placer]):
    """A landmark network in training."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        super().__init__(Placer(), settings)

    def error(self, placer: Placer, views: Views) -> Tensor:
        """Return the mean distance of the points over that of the eyes (arXiv 1605.02686)."""
        images, wanted, apart = (tensor.to(self.device) for tensor in views)
        off = (placer(images) - wanted) / apart[:, None, None]
        return (off.square().sum(-1) + ROUND**2).sqrt().mean()

    def advance(self, views: Views) -> Row:
        """Take one step and return its error."""
        error = self.error(self.student, views)
        self.descend(error)
        return {"error": error.item()}

    def save(self) -> None:
        """Write the checkpoint, and the averaged weights as ONNX."""
        super().save()
        onnx.save(export(deepcopy(self.averaged).cpu()), self.settings.out / "landmarks.onnx")

    def validate(self, views: Views) -> Row:
        """Return the error of the averaged weights."""
        with torch.no_grad():
            return {"error": self.error(self.averaged, views).item()}


def fit(training: Training, sets: tuple[Marked, ...], held_out: Marked) -> None:
    """Train on the `sets`, with equal shares, until the schedule ends."""
    settings = training.settings
    unseen = stack(held_out, np.random.default_rng(settings.seed), HELD_OUT)
    steps = (training.advance(views) for views in loader(sets, training.step, settings))
    loop.fit(training, steps, lambda: training.validate(unseen))


class Batches(Dataset[Views]):
    """The views of each step, a function of seed and step, drawn evenly from all sets."""

    def __init__(self, sets: tuple[Marked, ...], settings: Settings) -> None:
        self.sets, self.seed, self.batch = sets, settings.seed, settings.batch

    def __getitem__(self, step: int) -> Views:
        rng = np.random.default_rng((self.seed, step))
        counts = rng.multinomial(self.batch, [1 / len(self.sets)] * len(self.sets))
        pairs = zip(self.sets, counts, strict=True)
        parts = [stack(marked, rng, count) for marked, count in pairs if count]
        crops, points, apart = zip(*parts, strict=True)
        return torch.cat(crops), torch.cat(points), torch.cat(apart)


def loader(sets: tuple[Marked, ...], first: int, settings: Settings) -> DataLoader[Views]:
    """Return the views from step `first` on, made here or in workers."""
    cv2.setNumThreads(1)  # a worker that is forked beside threads of OpenCV hangs
    steps = range(first, settings.steps)
    return DataLoader(
        Batches(sets, settings), batch_size=None, sampler=steps, num_workers=settings.workers
    )


def stack(marked: Marked, rng: np.random.Generator, count: int) -> Views:
    """Return `count` views of faces of one set."""
    images, moved = zip(*(view(marked, rng) for _ in range(count)), strict=True)
    points = np.array(moved, np.float32)
    apart = np.array([eyes(TEMPLATE + face) for face in points], np.float32)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(points), torch.from_numpy(apart)
