"""What an image file says of itself, read before a decoder sees any of it.

Pillow reads headers in Python, byte by byte and metadata included; libjpeg decodes as many scans
as a file asks for. A few kilobytes can keep either busy for minutes. So a JPEG or PNG is first cut
down to what its pixels need, within limits that no camera or program comes near.
"""

import re
import struct
from typing import NamedTuple

from analysis.errors import CorruptImageError, TooLargeError, UnsupportedMediaTypeError
from analysis.exif import UPRIGHT, orientation

# Photographs have some tens, with colour profiles and editing history some hundreds.
MAX_SEGMENTS = 4096
MAX_CHUNKS = 16384
# Progressive files have about ten.
MAX_SCANS = 1000
# Tables, frames and scans; JFIF and Adobe's segment say which colours the samples are.
_NEEDED = frozenset([*range(0xC0, 0xD0), 0xDB, 0xDD, 0xE0, 0xEE])
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
_EXIF, _SCAN, _END = 0xE1, 0xDA, 0xD9
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_AMONG_SAMPLES = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PIXEL_CHUNKS = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
_RUN_LENGTHS = (1, 2)


class Container(NamedTuple):
    """An image file: its format, the bytes that a decoder needs, and how it lay in the camera."""

    kind: str
    data: bytes
    orientation: int = UPRIGHT
    scans: int = 1


def read(data: bytes) -> Container:
    """Read a file's structure, whatever its name and content type say.

    Raises:
        UnsupportedMediaTypeError: the first bytes are those of no format that is read.
        TooLargeError: it has more parts than any image needs.
        CorruptImageError: it ends before its end.
    """
    kind = sniff(data)
    try:
        match kind:
            case "JPEG":
                return _jpeg(data)
            case "PNG":
                return _png(data)
            case "BMP":
                _refuse_run_lengths(data)
    except (struct.error, IndexError) as error:
        raise _cut(kind) from error
    return Container(kind, data)


def sniff(data: bytes) -> str:
    """Name the format by its first bytes: file names and headers may lie.

    Raises:
        UnsupportedMediaTypeError: none that is read.
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
    """Width and height from the first chunk of a WebP file (RFC 9649, sections 2.5 to 2.7).

    Raises:
        CorruptImageError: it ends before, or begins with another chunk.
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
        raise _cut("WEBP") from error
    raise _cut("WEBP")


def _uint24(data: bytes, offset: int) -> int:
    return data[offset] | data[offset + 1] << 8 | data[offset + 2] << 16


def _cut(kind: str) -> CorruptImageError:
    return CorruptImageError(f"the {kind} image ends before its end; send it whole")


def _jpeg(data: bytes) -> Container:
    """Keep a JPEG's tables, frames and scans up to its end (ITU-T T.81, annex B)."""
    held, at, kept = UPRIGHT, 2, [data[:2]]
    for _ in range(MAX_SEGMENTS):
        marker, begin, at = _segment(data, at, _MARKER)
        if marker == _SCAN:
            end, scans = _end_of_scans(data, at)
            return Container("JPEG", b"".join([*kept, data[begin:end]]), held, scans)
        if marker in _NEEDED:
            kept.append(data[begin:at])
        elif marker == _EXIF and data[begin + 4 : begin + 10] == b"Exif\0\0" and held == UPRIGHT:
            held = orientation(data[begin + 10 : at])
    raise TooLargeError(f"the JPEG image has more than {MAX_SEGMENTS} segments; save it anew")


def _segment(data: bytes, at: int, pattern: re.Pattern[bytes]) -> tuple[int, int, int]:
    """The next marker from `at` on, where it stands, and where its segment ends."""
    found = pattern.search(data, at)
    if found is None:
        raise _cut("JPEG")
    begin, marker = found.start(), data[found.start() + 1]
    if marker in _ALONE or marker == _END:
        return marker, begin, begin + 2
    return marker, begin, begin + 2 + int(struct.unpack_from(">H", data, begin + 2)[0])


def _end_of_scans(data: bytes, at: int) -> tuple[int, int]:
    """Where the image ends, and how many scans it has, the first of which begins at `at`."""
    scans = 1
    for _ in range(MAX_SEGMENTS):
        marker, _, at = _segment(data, at, _MARKER_AMONG_SAMPLES)
        if marker == _END:
            return at, scans
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            break
    raise TooLargeError(f"the JPEG image has more than {MAX_SCANS} scans; save it anew")


def _png(data: bytes) -> Container:
    """Keep a PNG's chunks of pixels and colours up to its end (PNG, third edition, section 5)."""
    held, at, view = UPRIGHT, 8, memoryview(data)
    kept: list[bytes | memoryview] = [view[:8]]
    for _ in range(MAX_CHUNKS):
        length, name = struct.unpack_from(">I4s", data, at)
        begin, at = at, at + 12 + length
        if at > len(data):
            raise _cut("PNG")
        if name in _PIXEL_CHUNKS:
            kept.append(view[begin:at])
        elif name == b"eXIf":
            held = orientation(data[begin + 8 : at - 4])
        if name == b"IEND":
            return Container("PNG", b"".join(kept), held)
    raise TooLargeError(f"the PNG image has more than {MAX_CHUNKS} chunks; save it anew")


def _refuse_run_lengths(data: bytes) -> None:
    """Pillow reads run lengths in Python; nobody has written such files for decades."""
    size, *_, compression = struct.unpack_from("<IiiHHI", data, 14)
    if size >= 40 and compression in _RUN_LENGTHS:
        raise UnsupportedMediaTypeError("a BMP image with run lengths; save it without, or as PNG")
