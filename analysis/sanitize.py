"""The structure of an image file, read before a decoder opens it.

Pillow reads headers in Python, byte by byte, metadata included, and libjpeg decodes as many scans
as a file has: a few kilobytes can keep either busy for minutes. Files are therefore first cut down
to what their pixels need, under limits that no camera or program comes near. The size is read here
for formats whose decoders allocate memory when they open a file.
"""

import struct
from collections.abc import Callable

from analysis.containers import gif, heif, jpeg, jxl, png, tiff
from analysis.containers.container import Container
from analysis.errors import CorruptImageError, UnsupportedMediaTypeError
from analysis.formats import sniff

# Values of BMP's `compression`.
RUN_LENGTHS = (1, 2)


def read(data: bytes) -> Container:
    """Read the structure of a file; its name and content type do not matter.

    Raises:
        UnsupportedMediaTypeError: the first bytes are those of no supported format.
        TooLargeError: more parts than any image needs.
        CorruptImageError: the file ends before its image.
    """
    kind = sniff(data)
    try:
        return READERS[kind](data)
    except (struct.error, IndexError, EOFError) as error:
        raise CorruptImageError(f"the {kind} image is cut off; send the whole file") from error


def _webp(data: bytes) -> Container:
    return Container("WEBP", data, size=_webp_size(data))


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk of a WebP file (RFC 9649, 2.5 to 2.7)."""
    match data[12:16]:
        case b"VP8X":
            return _uint24(data, 24) + 1, _uint24(data, 27) + 1
        case b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise EOFError


def _uint24(data: bytes, offset: int) -> int:
    return data[offset] | data[offset + 1] << 8 | data[offset + 2] << 16


def _bmp(data: bytes) -> Container:
    """Reject a BMP with run lengths: Pillow decodes them in Python, and they are obsolete."""
    size, *_, compression = struct.unpack_from("<IiiHHI", data, 14)
    if size >= 40 and compression in RUN_LENGTHS:
        raise UnsupportedMediaTypeError(
            "a BMP image with run lengths; save it uncompressed, or as PNG"
        )
    return Container("BMP", data)


READERS: dict[str, Callable[[bytes], Container]] = {
    "JPEG": jpeg.strip,
    "PNG": png.strip,
    "WEBP": _webp,
    "BMP": _bmp,
    "GIF": gif.strip,
    "TIFF": tiff.strip,
    "HEIC": heif.heic,
    "AVIF": heif.avif,
    "JPEG XL": jxl.strip,
}
