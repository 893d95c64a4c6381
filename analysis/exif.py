"""How a camera was held: the orientation in EXIF data, the only EXIF entry that is read."""

import struct
from collections.abc import Callable

import numpy as np

from engines.types import U8

ORIENTATION = 0x0112
UPRIGHT = 1
SHORT, LONG = 3, 4
MAX_ENTRIES = 1000
# The turn that each orientation needs, and the orientations that swap width and height.
TURNS: dict[int, Callable[[U8], U8]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}
ON_ITS_SIDE = (5, 6, 7, 8)


def orientation(tiff: bytes) -> int:
    """Return the orientation, 1 to 8, in a block of EXIF data; 1 if it is missing or damaged.

    The block is a TIFF header and a directory of entries of twelve bytes (TIFF 6.0, section 2).
    Only the first directory is read, and at most `MAX_ENTRIES` of it: a reader that follows every
    offset needs much memory for a few kilobytes of overlapping entries.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(tiff[:4]))
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(min(count, MAX_ENTRIES)):
            at = start + 2 + 12 * entry
            tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
            if tag == ORIENTATION and kind in {SHORT, LONG}:
                form = "H" if kind == SHORT else "I"
                (value,) = struct.unpack_from(order + form, tiff, at + 8)
                return int(value) if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def turned_upright(pixels: U8, orientation: int) -> U8:
    """Turn stored pixels (height, width, 3) upright; the result is contiguous."""
    return np.ascontiguousarray(TURNS[orientation](pixels))
