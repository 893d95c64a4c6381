"""Maps that the teacher gave lately, from which each block draws its own small batches."""

import torch
from torch import Tensor

POSITIONS = 1600  # of a map, that a block's batch has about
FEWEST, MOST = 2, 24  # images of a block's batch


class Pool:
    """The teacher's maps before and after every block, of the last `size` images."""

    def __init__(self, size: int) -> None:
        self._size, self._next = size, 0
        self._maps: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._maps[0]) if self._maps else 0

    def add(self, images: Tensor, targets: list[Tensor]) -> None:
        """Take a batch in; when the pool is full it takes the place of the oldest."""
        new = [images, *targets]
        if len(self) < self._size:
            old = self._maps or [maps[:0] for maps in new]
            self._maps = [torch.cat(pair) for pair in zip(old, new, strict=True)]
            return
        places = (torch.arange(len(images)) + self._next) % len(self)
        for maps, values in zip(self._maps, new, strict=True):
            maps[places.to(maps.device)] = values
        self._next = int(places[-1]) + 1

    def draw(self, block: int) -> tuple[Tensor, Tensor]:
        """Some images' maps before and after a block: the fewer, the larger the maps."""
        given, wanted = self._maps[block], self._maps[block + 1]
        count = POSITIONS // (wanted.shape[2] * wanted.shape[3])
        chosen = torch.randint(len(self), (min(max(count, FEWEST), MOST),)).to(given.device)
        return given[chosen], wanted[chosen]

    @property
    def all(self) -> tuple[Tensor, list[Tensor]]:
        """The images and all maps."""
        return self._maps[0], self._maps[1:]
