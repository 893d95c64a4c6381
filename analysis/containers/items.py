"""The data of the items of an AVIF file; the box `iloc` has their places (ISO 14496-12, 8.11.3)."""

from collections.abc import Iterator

from analysis.containers.boxes import boxes
from analysis.errors import CorruptImageError, TooLargeError

MAX_EXTENTS = 1 << 14
# Construction methods: offsets count from the beginning of the file, or of the box `idat`.
IN_FILE, IN_IDAT = 0, 1
Item = tuple[int, tuple[tuple[int, int], ...]]


def payloads(data: bytes, meta: bytes) -> Iterator[bytes]:
    """Yield the data of each item that the content of a box `meta` lists; shared data once.

    Raises:
        TooLargeError: more parts than any image needs.
        CorruptImageError: the items overlap.
        EOFError: the table of items is cut off, or refers to another file.
    """
    inside = {box.kind: meta[box.begin : box.end] for box in boxes(meta)}
    sources, left = {IN_FILE: data, IN_IDAT: inside.get(b"idat", b"")}, len(data)
    for method, extents in dict.fromkeys(_items(inside.get(b"iloc", b""))):
        if method not in sources:
            raise EOFError
        left -= sum(length for _, length in extents)
        if left < 0:
            raise CorruptImageError("the parts of the AVIF image overlap; save it again")
        source = sources[method]
        yield b"".join(source[begin : begin + length] for begin, length in extents)


def _items(table: bytes) -> Iterator[Item]:
    """Yield the construction method of each item, and its extents: offset and length."""
    numbers = _Numbers(table)
    version, _ = numbers.read(1), numbers.read(3)
    offset, length = divmod(numbers.read(1), 16)
    base, index = divmod(numbers.read(1), 16)
    wide, left = (4 if version == 2 else 2), MAX_EXTENTS
    for _ in range(numbers.read(wide)):
        numbers.read(wide)  # the number of the item
        method = numbers.read(2) & 15 if version else IN_FILE
        numbers.read(2)
        start, count = numbers.read(base), numbers.read(2)
        left -= count + 1
        if left < 0:
            raise TooLargeError(
                f"the AVIF image has more than {MAX_EXTENTS:,} parts; save it again"
            )
        extents = []
        for _ in range(count):
            numbers.read(index if version else 0)
            extents.append((start + numbers.read(offset), numbers.read(length)))
        yield method, tuple(extents)


class _Numbers:
    """Whole numbers of any number of bytes, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, size: int) -> int:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise EOFError
        self._at += size
        return int.from_bytes(part, "big")
