"""The chunks of a PNG file (PNG, third edition, section 5) that its pixels need."""

import struct

from analysis.containers.container import Container
from analysis.errors import TooLargeError
from analysis.exif import UPRIGHT, orientation

MAX_CHUNKS = 16384
PIXEL_CHUNKS = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])


def strip(data: bytes) -> Container:
    """Keep the header, the palette and the pixels.

    Raises:
        TooLargeError: more chunks than any image needs.
        EOFError, struct.error: the file ends before its image.
    """
    turn, at, view = UPRIGHT, 8, memoryview(data)
    kept: list[bytes | memoryview] = [view[:8]]
    for _ in range(MAX_CHUNKS):
        length, name = struct.unpack_from(">I4s", data, at)
        begin, at = at, at + 12 + length
        if at > len(data):
            raise EOFError
        if name in PIXEL_CHUNKS:
            kept.append(view[begin:at])
        elif name == b"eXIf":
            turn = orientation(data[begin + 8 : at - 4])
        if name == b"IEND":
            return Container("PNG", b"".join(kept), turn)
    raise TooLargeError(f"the PNG image has more than {MAX_CHUNKS:,} chunks; save it again")
