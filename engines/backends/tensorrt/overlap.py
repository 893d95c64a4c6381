"""The sessions of a runner in turn: one computes while the next is filled and copied."""

from collections.abc import Iterable, Sequence
from itertools import cycle

from engines.backends.tensorrt.session import Session
from engines.pieces import Piece
from engines.types import Array, Feeds


def overlapped(
    sessions: Sequence[Session], cut: Iterable[Piece], feeds: Feeds
) -> list[dict[str, Array]]:
    """Run the pieces of a batch; return their outputs in the order of their rows.

    A session is awaited only when it is needed again, or at the end.
    """
    results: list[dict[str, Array]] = []
    busy: list[Session] = []
    start = 0
    for session, (rows, size) in zip(cycle(sessions), cut, strict=False):
        if session in busy:
            busy.remove(session)
            results.append(session.collect())
        piece = {name: array[start : start + rows] for name, array in feeds.items()}
        session.submit(piece, rows, size)
        busy.append(session)
        start += rows
    return results + [session.collect() for session in busy]
