"""How a camera was held: the one thing that is read of EXIF, and nothing else of it is."""

import struct

ORIENTATION = 0x0112
UPRIGHT = 1
SHORT, LONG = 3, 4
MAX_ENTRIES = 1000


def orientation(tiff: bytes) -> int:
    """The orientation, 1 to 8, of an EXIF block; 1 where it says none or is damaged.

    TIFF 6.0, section 2: a header, and a directory of entries of twelve bytes. Only the first
    directory is read, and of it no more than `MAX_ENTRIES`: other readers follow every offset,
    and a few kilobytes of overlapping entries cost them much memory.
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
