"""The boxes of ISO base media files (ISO 14496-12, 4.2), which HEIC, AVIF and JPEG XL share."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from analysis.errors import TooLargeError

MAX_BOXES = 4096


class Box(NamedTuple):
    """A box: its type, and where its content begins and ends; `end` may exceed the file."""

    kind: bytes
    begin: int
    end: int


def boxes(data: bytes) -> Iterator[Box]:
    """Yield the outer boxes of a file up to its end, or up to bytes that are not a box.

    Raises:
        TooLargeError: more boxes than any image needs.
    """
    at = 0
    for _ in range(MAX_BOXES):
        if at + 16 > len(data):  # no image ends with so small a box
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        end = at + size if size else len(data)
        if end < begin:
            return
        yield Box(kind, begin, end)
        at = end
    raise TooLargeError(f"the image has more than {MAX_BOXES:,} boxes; save it again")
