"""Batches larger than those of a plan."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from engines.types import Array, Feeds


def in_pieces(
    run: Callable[[Feeds], dict[str, Array]], feeds: Feeds, largest: int
) -> dict[str, Array]:
    """Run a batch of any size through `run`, in pieces of at most `largest` rows."""
    return joined([run(piece) for piece in _pieces(feeds, largest)])


def joined(outputs: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """Join the outputs of the pieces of a batch, at least one, in the order of their rows."""
    if len(outputs) == 1:
        return outputs[0]
    return {name: np.concatenate([piece[name] for piece in outputs]) for name in outputs[0]}


def _pieces(feeds: Feeds, largest: int) -> Iterator[Feeds]:
    rows = len(next(iter(feeds.values())))
    if rows <= largest:
        yield feeds
        return
    for start in range(0, rows, largest):
        yield {name: array[start : start + largest] for name, array in feeds.items()}
