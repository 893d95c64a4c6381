"""Divides a batch of any size into the batch sizes of a plan."""

from typing import NamedTuple


class Piece(NamedTuple):
    """Rows of a batch, and the batch size of the plan that computes them, padded."""

    rows: int
    size: int


def pieces(rows: int, sizes: tuple[int, ...]) -> list[Piece]:
    """Divide `rows` into full pieces of the largest of the rising `sizes`, and a rest.

    The rest is padded to the next size, or divided into two pieces if that computes fewer rows.
    """
    largest = sizes[-1]
    full, rest = divmod(rows, largest)
    return [Piece(largest, largest)] * full + (_rest(rest, sizes) if rest else [])


def _rest(rows: int, sizes: tuple[int, ...]) -> list[Piece]:
    padded = _least(rows, sizes)
    full = max((size for size in sizes if size < rows), default=rows)
    left = rows - full
    if left and full + _least(left, sizes) < padded:
        return [Piece(full, full), Piece(left, _least(left, sizes))]
    return [Piece(rows, padded)]


def _least(rows: int, sizes: tuple[int, ...]) -> int:
    return next(size for size in sizes if size >= rows)
