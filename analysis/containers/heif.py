"""HEIC and AVIF files: what a decoder must not see, and whether they are whole."""

import re
import struct
from math import prod

from analysis.containers.boxes import boxes
from analysis.containers.container import Container
from analysis.formats import BRANDS, refusal

# Major brands that decoders know.
KNOWN_BRANDS = frozenset([*BRANDS, b"mif1", b"msf1"])
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
        UnsupportedMediaTypeError: it holds only a sequence, which is a video.
        EOFError: it is not whole.
    """
    kinds = {box.kind for box in boxes(data)}
    if b"moov" in kinds and b"meta" not in kinds:
        raise refusal("a HEIC sequence without a still image; export one as JPEG")
    size = _largest(data)
    return Container("HEIC", _with_known_brand(data, b"heic"), size=size)


def avif(data: bytes) -> Container:
    """Rename the items of EXIF data: a decoder ignores items of an unknown type.

    Pillow reads all entries of EXIF data, in Python, when it opens an AVIF. None is needed: the
    orientation is that of the container.

    Raises:
        EOFError: the file is not whole.
    """
    size = _largest(data)
    return Container("AVIF", EXIF.sub(b"skip", _with_known_brand(data, b"avif")), size=size)


def _with_known_brand(data: bytes, brand: bytes) -> bytes:
    """Name the format in the major brand: decoders do not look at the compatible ones."""
    return data if data[8:12] in KNOWN_BRANDS else data[:8] + brand + data[12:]


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
