"""Batches of scenes, made in this process or in workers."""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from engines.types import U8
from training.detector.films import make_pair
from training.detector.pictures import Pictures

MEAN_BGR = (104.0, 117.0, 123.0)
LARGE_SHARE = 0.25  # of the batches have twice the side and a quarter of the scenes
Key = tuple[int, int]  # a scene's index and side


class Batches(Sampler[list[Key]]):
    """Keys of the scenes in the batches `first`, `first` + 1, ... below `last`."""

    def __init__(self, first: int, last: int, batch: int, size: int) -> None:
        self.numbers, self.batch, self.size = range(first, last), batch, size

    def __iter__(self) -> Iterator[list[Key]]:
        for number in self.numbers:
            large = number % round(1 / LARGE_SHARE) == 0
            count = max(1, self.batch // 4) if large else self.batch
            size = 2 * self.size if large else self.size
            yield [(number * self.batch + offset, size) for offset in range(count)]


class Scenes(Dataset[Tensor]):
    """Pairs of the series `seed` as uint8 tensors (2, 3, S, S), BGR: see `films.Pair`."""

    def __init__(self, pictures: Pictures, profiles: U8, seed: int) -> None:
        self.pictures, self.profiles, self.seed = pictures, profiles, seed

    def __getitem__(self, key: Key) -> Tensor:
        index, size = key
        pair = make_pair(self.pictures, self.profiles, size, self.seed, index)
        both = np.stack([pair.image, pair.clear]).transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(both))


def loader(scenes: Scenes, batches: Batches, workers: int) -> DataLoader[Tensor]:
    """Return the batches in order, (B, 2, 3, S, S) uint8.

    OpenCV uses one thread from here on: a worker that is forked beside its thread pool hangs.
    """
    cv2.setNumThreads(1)
    return DataLoader(scenes, batch_sampler=batches, num_workers=workers)


def normalise(images: Tensor, device: torch.device) -> Tensor:
    """Return uint8 BGR as the float input of the networks on `device`."""
    mean = torch.tensor(MEAN_BGR, device=device).reshape(3, 1, 1)
    return images.to(device, non_blocking=True).float() - mean
