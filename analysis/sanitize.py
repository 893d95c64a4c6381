"""The structure of an image file, read before a decoder opens it.

Pillow reads headers in Python, byte by byte, metadata included, and libjpeg decodes as many scans
as a file has: a few kilobytes can keep either busy for minutes. A JPEG or PNG is therefore first
cut down to what its pixels need, under limits that no camera or program comes near.
"""

import struct
from typing import NamedTuple

from analysis import jpeg
from analysis.errors import CorruptImageError, TooLargeError, UnsupportedMediaTypeError
from analysis.exif import UPRIGHT, orientation

MAX_CHUNKS = 16384
PIXEL_CHUNKS = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
# Values of BMP's `compression`.
RUN_LENGTHS = (1, 2)


class Container(NamedTuple):
    """An image file: its format, the bytes that a decoder needs, EXIF orientation, and scans."""

    kind: str
    data: bytes
    orientation: int = UPRIGHT
    scans: int = 1


def read(data: bytes) -> Container:
    """Read the structure of a file; its name and content type do not matter.

    Raises:
        UnsupportedMediaTypeError: the first bytes are those of no supported format.
        TooLargeError: more parts than any image needs.
        CorruptImageError: the file ends before its image.
    """
    kind = sniff(data)
    try:
        match kind:
            case "JPEG":
                return Container(kind, *jpeg.strip(data))
            case "PNG":
                return _png(data)
            case "BMP":
                _reject_run_lengths(data)
    except (struct.error, IndexError, EOFError) as error:
        raise _truncated(kind) from error
    return Container(kind, data)


def sniff(data: bytes) -> str:
    """Return the format by the first bytes of a file: names and headers may be wrong.

    Raises:
        UnsupportedMediaTypeError: no supported format.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM":
        return "BMP"
    raise UnsupportedMediaTypeError("not a JPEG, PNG, WebP or BMP image")


def webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk of a WebP file (RFC 9649, 2.5 to 2.7).

    Raises:
        CorruptImageError: the file ends before them, or begins with another chunk.
    """
    try:
        match data[12:16]:
            case b"VP8X":
                return _uint24(data, 24) + 1, _uint24(data, 27) + 1
            case b"VP8L":
                bits = struct.unpack_from("<I", data, 21)[0]
                return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            case b"VP8 ":
                width, height = struct.unpack_from("<HH", data, 26)
                return width & 0x3FFF, height & 0x3FFF
    except (struct.error, IndexError) as error:
        raise _truncated("WEBP") from error
    raise _truncated("WEBP")


def _uint24(data: bytes, offset: int) -> int:
    return data[offset] | data[offset + 1] << 8 | data[offset + 2] << 16


def _truncated(kind: str) -> CorruptImageError:
    return CorruptImageError(f"the {kind} image ends before its end; send it whole")


def _png(data: bytes) -> Container:
    """Keep the chunks of a PNG that its pixels need (PNG, third edition, section 5)."""
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
    raise TooLargeError(f"the PNG image has more than {MAX_CHUNKS} chunks; save it again")


def _reject_run_lengths(data: bytes) -> None:
    """Reject a BMP with run lengths: Pillow decodes them in Python, and they are obsolete."""
    size, *_, compression = struct.unpack_from("<IiiHHI", data, 14)
    if size >= 40 and compression in RUN_LENGTHS:
        raise UnsupportedMediaTypeError(
            "a BMP image with run lengths; save it uncompressed, or as PNG"
        )
