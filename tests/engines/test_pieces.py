"""A batch of any size is divided into the batch sizes of a plan."""

from hypothesis import given
from hypothesis import strategies as st

from engines.pieces import pieces


@given(rows=st.integers(1, 200), buckets=st.sets(st.integers(2, 64), max_size=4))
def test_pieces_hold_every_row_once(rows: int, buckets: set[int]) -> None:
    sizes = (1, *sorted(buckets))
    cut = pieces(rows, sizes)
    assert sum(taken for taken, _ in cut) == rows
    assert all(0 < taken <= bucket and bucket in sizes for taken, bucket in cut)
    alone = rows % sizes[-1] or sizes[-1]
    padded = next(size for size in sizes if size >= alone)
    assert sum(bucket for _, bucket in cut) <= rows - alone + padded
    assert len(cut) <= rows // sizes[-1] + 2


def test_pieces_for_the_batch_sizes_of_faces() -> None:
    sizes = (1, 8, 32, 128, 512)
    assert pieces(3, sizes) == [(3, 8)]
    assert pieces(9, sizes) == [(8, 8), (1, 1)]
    assert pieces(64, sizes) == [(32, 32), (32, 32)]
    assert pieces(100, sizes) == [(100, 128)]
    assert pieces(1100, sizes) == [(512, 512), (512, 512), (76, 128)]
