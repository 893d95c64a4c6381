"""Shuffled, augmented batches, optionally prepared in worker processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.pool import Pool

import cv2
import numpy as np
import numpy.typing as npt

from training.emotion.augment import view
from training.emotion.recipe import Strength

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
Job = tuple[int, int, npt.NDArray[np.int64], int]


@dataclass
class Batches:
    """Faces uint8 (N, 48, 48) and targets float32 (N, 7) as epochs of augmented batches.

    The random numbers of a batch depend on (seed, epoch, batch), so the number of ``workers`` does
    not change the batches. The workers exist within the context; outside it, the caller's process
    prepares the batches. ``mixup`` is the parameter of the beta distribution that blends pairs
    (arXiv 1710.09412); 0 turns it off.
    """

    faces: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    size: int = 128
    seed: int = 0
    strength: Strength = field(default_factory=Strength)
    mixup: float = 0.0
    workers: int = 0
    pool: Pool | None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self.faces) // self.size

    def __enter__(self) -> Batches:
        if self.workers:
            # Spawned, because a process that uses a GPU must not be forked.
            spawn = multiprocessing.get_context("spawn")
            self.pool = spawn.Pool(self.workers, _start_worker, (replace(self),))
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.terminate()
            self.pool.join()
            self.pool = None

    def epoch(self, number: int, side: int) -> Iterator[Batch]:
        """Yield the batches of one epoch, uint8 (size, side, side) and float32 (size, 7)."""
        order = np.random.default_rng((self.seed, number)).permutation(len(self.faces))
        chosen = [order[i * self.size : (i + 1) * self.size] for i in range(len(self))]
        jobs = [(number, i, each, side) for i, each in enumerate(chosen)]
        yield from self.pool.imap(_batch_in_worker, jobs) if self.pool else map(self.batch, jobs)

    def batch(self, job: Job) -> Batch:
        """Return one batch of an epoch; a job is (epoch, batch, indices of its faces, side)."""
        number, index, chosen, side = job
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
    """Blend every face and target with another of the batch, with one weight per batch."""
    weight = rng.beta(alpha, alpha)
    others = rng.permutation(len(faces))
    mixed = weight * faces + (1 - weight) * faces[others]
    both = weight * targets + (1 - weight) * targets[others]
    return np.rint(mixed).astype(np.uint8), both.astype(np.float32)


def _start_worker(batches: Batches) -> None:
    cv2.setNumThreads(1)
    globals()["_batches"] = batches


def _batch_in_worker(job: Job) -> Batch:
    batches: Batches = globals()["_batches"]
    return batches.batch(job)
