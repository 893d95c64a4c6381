"""Batches larger than those of a plan."""

from collections.abc import Callable, Iterator

import numpy as np

from engines.types import Array, Feeds


def in_pieces(
    run: Callable[[Feeds], dict[str, Array]], feeds: Feeds, largest: int
) -> dict[str, Array]:
    """Run a batch of any size through `run`, in pieces of at most `largest` rows."""
    pieces = [run(piece) for piece in _pieces(feeds, largest)]
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _pieces(feeds: Feeds, largest: int) -> Iterator[Feeds]:
    rows = len(next(iter(feeds.values())))
    if rows <= largest:
        yield feeds
        return
    for start in range(0, rows, largest):
        yield {name: array[start : start + largest] for name, array in feeds.items()}
