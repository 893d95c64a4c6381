"""The blocks of a GIF file (GIF89a, sections 18 to 26) that its first picture needs."""

import struct
from collections.abc import Iterator

from analysis.containers.container import Container
from analysis.errors import TooLargeError

MAX_BLOCKS = 1 << 20
EXTENSION, PICTURE = 0x21, 0x2C
CONTROL = 0xF9
# The bit of a control extension for a transparent colour. The other bits are about the next
# picture, for which Pillow would prepare when it opens the file.
TRANSPARENCY = 1
TRAILER = b";"


def strip(data: bytes) -> Container:
    """Keep the header, the palettes, the transparent colour and the first picture.

    Raises:
        TooLargeError: more blocks than any image needs.
        EOFError, struct.error, IndexError: the file ends before its first picture does.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _palette(flags)
    head, control, budget = data[:at], b"", iter(range(MAX_BLOCKS))
    for _ in budget:
        if data[at] == PICTURE:
            left, top, *size, flags = struct.unpack_from("<HHHHB", data, at + 1)
            end = _end(data, at + 11 + _palette(flags), budget)
            whole = max(width, left + size[0]), max(height, top + size[1])
            return Container("GIF", head + control + data[at:end] + TRAILER, size=whole)
        if data[at] != EXTENSION:
            raise EOFError
        if data[at + 1] == CONTROL:
            block = bytearray(data[at : at + 8])
            block[3] &= TRANSPARENCY
            control = bytes(block)
        at = _end(data, at + 2, budget)
    raise _too_many()


def _palette(flags: int) -> int:
    """Return the number of bytes of a palette."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _end(data: bytes, at: int, budget: Iterator[int]) -> int:
    """Return the end of a chain of blocks; each begins with its length, and the last is empty."""
    for _ in budget:
        length = data[at]
        at += 1 + length
        if not length:
            return at
    raise _too_many()


def _too_many() -> TooLargeError:
    return TooLargeError(f"the GIF image has more than {MAX_BLOCKS:,} blocks; save it again")
