"""Shuffled, augmented batches, made ahead of time in worker processes where asked for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from training.emotion.augment import Strength, view

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
Job = tuple[int, int, npt.NDArray[np.int64], int]


@dataclass(frozen=True)
class Batches:
    """Faces uint8 (N, 48, 48) and targets float32 (N, 7) as epochs of augmented batches.

    A batch's random numbers come from (seed, epoch, batch), so the number of
    ``workers`` does not change what is trained on. ``mixup`` is the parameter of
    the beta distribution that blends pairs (arXiv 1710.09412); 0 is without.
    """

    faces: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    size: int = 128
    seed: int = 0
    strength: Strength = field(default_factory=Strength)
    mixup: float = 0.0
    workers: int = 0

    def __len__(self) -> int:
        return len(self.faces) // self.size

    def epoch(self, number: int, side: int) -> Iterator[Batch]:
        """Yield the batches of one epoch, uint8 (size, side, side) and float32 (size, 7)."""
        order = np.random.default_rng((self.seed, number)).permutation(len(self.faces))
        chosen = [order[i * self.size : (i + 1) * self.size] for i in range(len(self))]
        jobs = [(number, i, each, side) for i, each in enumerate(chosen)]
        if not self.workers:
            yield from map(self._batch, jobs)
            return
        with multiprocessing.get_context("spawn").Pool(self.workers) as pool:
            yield from pool.imap(self._batch, jobs)

    def _batch(self, job: Job) -> Batch:
        number, index, chosen, side = job
        cv2.setNumThreads(1)
        rng = np.random.default_rng((self.seed, number, index))
        views = np.stack([view(self.faces[i], rng, side, self.strength) for i in chosen])
        targets = self.targets[chosen]
        return blend(views, targets, rng, self.mixup) if self.mixup else (views, targets)


def blend(
    faces: npt.NDArray[np.uint8],
    targets: npt.NDArray[np.float32],
    rng: np.random.Generator,
    alpha: float,
) -> Batch:
    """Mix every face and its target with those of another of the batch by one beta weight."""
    weight = rng.beta(alpha, alpha)
    others = rng.permutation(len(faces))
    mixed = weight * faces + (1 - weight) * faces[others]
    both = weight * targets + (1 - weight) * targets[others]
    return np.rint(mixed).astype(np.uint8), both.astype(np.float32)
