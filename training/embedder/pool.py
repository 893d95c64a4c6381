"""Recent maps of the teacher, from which each block draws small batches."""

from collections.abc import Callable

import torch
from torch import Tensor

POSITIONS = 1600  # about as many positions of maps per batch
FEWEST, MOST = 2, 24  # images per batch
SMALL, MIXED = 49, 64  # maps of at most so many pixels are mixed; mixtures per batch


class Pool:
    """Maps of the teacher before and after every block, for the last `size` images."""

    def __init__(self, size: int) -> None:
        self._size, self._count = size, 0
        self._maps: list[Tensor] = []

    def __len__(self) -> int:
        return min(self._count, self._size)

    def add(self, images: Tensor, targets: list[Tensor]) -> None:
        """Add a batch; it replaces the oldest images of a full pool."""
        new = [images, *targets]
        if not self._maps:
            self._maps = [maps.new_empty(self._size, *maps.shape[1:]) for maps in new]
        places = (torch.arange(len(images)) + self._count) % self._size
        for maps, values in zip(self._maps, new, strict=True):
            maps[places.to(maps.device)] = values
        self._count += len(images)

    def draw(self, block: int, teacher: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Return maps before and after a block, for fewer images if the maps are large.

        Late maps are small, and each image has only one embedding. So late blocks learn on mixtures
        of the maps of two images; the block of the `teacher` labels them at little cost.
        """
        given, wanted = self._maps[block], self._maps[block + 1]
        if given.shape[2] * given.shape[3] <= SMALL:
            (mixed,) = self.mixed(block)
            with torch.no_grad():
                return mixed, teacher(mixed)
        count = POSITIONS // (wanted.shape[2] * wanted.shape[3])
        chosen = self._chosen(min(max(count, FEWEST), MOST), given)
        return given[chosen], wanted[chosen]

    def mixed(self, *which: int) -> list[Tensor]:
        """Return mixtures of the maps of two images, the same mixtures for all of `which`."""
        height, width = self._maps[which[0]].shape[2:]
        everywhere = torch.rand(MIXED, 1, 1, 1)
        somewhere = (torch.rand(MIXED, 1, height, width) < everywhere).float()
        kind = torch.rand(MIXED, 1, 1, 1)
        share = torch.where(kind < 1 / 3, everywhere, torch.where(kind < 2 / 3, somewhere, 0.0))
        one, other = (self._chosen(MIXED, self._maps[0]) for _ in range(2))
        pairs = ((self._maps[number][one], self._maps[number][other]) for number in which)
        return [torch.lerp(*pair, share.to(pair[0].device)) for pair in pairs]

    def _chosen(self, count: int, given: Tensor) -> Tensor:
        return torch.randint(len(self), (count,)).to(given.device)

    @property
    def all(self) -> tuple[Tensor, list[Tensor]]:
        """Return the images and all maps."""
        return self._maps[0][: len(self)], [maps[: len(self)] for maps in self._maps[1:]]
