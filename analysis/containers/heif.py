"""HEIC and AVIF files: what a decoder must not see, and whether they are whole.

libheif rejects a picture that is larger than its header claims; libavif decodes it first, so
its size is read from the AV1 data.
"""

import re
import struct
from collections.abc import Iterator
from math import prod

from analysis.containers import av1
from analysis.containers.boxes import boxes
from analysis.containers.container import Container
from analysis.containers.items import payloads
from analysis.errors import TooLargeError
from analysis.formats import BRANDS, refusal

# Major brands that decoders know.
KNOWN_BRANDS = frozenset([*BRANDS, b"mif1", b"msf1"])
# libheif's limit.
MAX_ITEMS = 1000
ITEM = re.compile(rb"infe[\2\3]")
# Boxes with pixels or with their places; libheif leaves missing tiles grey.
ESSENTIAL = (b"meta", b"mdat", b"moov")
# The type of an entry of a list of items, after its version, flags, number and protection
# (ISO 14496-12, 8.11.6).
EXIF = re.compile(rb"(?<=infe\x02.{7})Exif|(?<=infe\x03.{9})Exif", re.DOTALL)
# A size of an image or of a part of it (ISO 23008-12, 6.5.3).
SIZE = re.compile(rb"ispe\0{4}(.{8})", re.DOTALL)


def heic(data: bytes) -> Container:
    """Check that a HEIC file is whole, and find its largest image.

    Raises:
        UnsupportedMediaTypeError: it holds only a sequence, which is a video.
        TooLargeError: it has more items (pictures, tiles, metadata) than the decoder reads.
        EOFError: it is not whole.
    """
    _check_still(data, "a HEIC")
    if len(ITEM.findall(data)) > MAX_ITEMS:
        raise TooLargeError(f"the HEIC image has more than {MAX_ITEMS:,} items; save it as JPEG")
    known = data if data[8:12] in KNOWN_BRANDS else data[:8] + b"heic" + data[12:]
    return Container("HEIC", known, size=max(_claimed(data), key=prod, default=None))


def avif(data: bytes) -> Container:
    """Leave only the still image: a decoder ignores boxes and items of unknown types.

    A sequence is hidden, as is the brand that announces it: the still image is its first picture.
    Pillow reads all entries of EXIF data, in Python, when it opens an AVIF. None is needed: the
    orientation is that of the container.

    Raises:
        UnsupportedMediaTypeError: it holds only a sequence, which is a video.
        TooLargeError: more parts than any image needs.
        EOFError: the file is not whole, or has no AV1 data.
    """
    _check_still(data, "an AVIF")
    sizes = [*av1.sizes(_payloads(data))]
    if not sizes:
        raise EOFError
    largest = max((*sizes, *_claimed(data)), key=prod)
    still = bytearray(EXIF.sub(b"skip", data))
    for box in boxes(data):
        if box.kind == b"ftyp":
            still[box.begin : box.end] = data[box.begin : box.end].replace(b"avis", b"avif")
            still[8:12] = b"avif"  # Pillow does not look at the compatible brands
        elif box.kind == b"moov":
            at = data.rindex(b"moov", 0, box.begin)
            still[at : at + 4] = b"skip"
    return Container("AVIF", bytes(still), size=largest)


def _check_still(data: bytes, kind: str) -> None:
    kinds = {box.kind for box in boxes(data)}
    if b"moov" in kinds and b"meta" not in kinds:
        raise refusal(f"{kind} sequence without a still image; export one as JPEG")


def _payloads(data: bytes) -> Iterator[bytes]:
    for box in boxes(data):
        if box.kind == b"meta":
            yield from payloads(data, data[box.begin + 4 : box.end])


def _claimed(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield all sizes in the header: a cropped image is decoded at its size before the crop."""
    for box in boxes(data):
        if box.end > len(data):
            if box.kind in ESSENTIAL:
                raise EOFError
            return  # the maker of a camera may append other data
        if box.kind == b"meta":
            found = SIZE.finditer(data, box.begin, box.end)
            yield from (struct.unpack(">II", each[1]) for each in found)
