"""HEIC and AVIF files: what a decoder must not see, and whether they are whole."""

import re
import struct
from math import prod

from analysis.containers.boxes import boxes
from analysis.containers.container import Container

# Boxes that hold pixels or say where they are; libheif leaves tiles grey that are missing.
ESSENTIAL = (b"meta", b"mdat", b"moov")
# The type of an entry of a list of items, behind its version, flags, number and protection
# (ISO 14496-12, 8.11.6).
EXIF = re.compile(rb"(?<=infe\x02.{7})Exif|(?<=infe\x03.{9})Exif", re.DOTALL)
# A size of an image or of a part of it (ISO 23008-12, 6.5.3).
SIZE = re.compile(rb"ispe\0{4}(.{8})", re.DOTALL)


def heic(data: bytes) -> Container:
    """Check that a HEIC file is whole, and find its largest image.

    Raises:
        EOFError: it is not whole.
    """
    return Container("HEIC", data, size=_largest(data))


def avif(data: bytes) -> Container:
    """Rename the items of EXIF data: a decoder ignores items of an unknown type.

    Pillow reads all entries of EXIF data, in Python, when it opens an AVIF. None is needed: the
    orientation is that of the container.

    Raises:
        EOFError: the file is not whole.
    """
    size = _largest(data)
    return Container("AVIF", EXIF.sub(b"skip", data), size=size)


def _largest(data: bytes) -> tuple[int, int] | None:
    """Return the largest size in the file: that of the image may be the size of a part of it."""
    sizes: list[tuple[int, int]] = []
    for box in boxes(data):
        if box.end > len(data):
            if box.kind in ESSENTIAL:
                raise EOFError
            break  # data of a maker behind the image
        if box.kind == b"meta":
            found = SIZE.finditer(data, box.begin, box.end)
            sizes += (struct.unpack(">II", each[1]) for each in found)
    return max(sizes, key=prod, default=None)
