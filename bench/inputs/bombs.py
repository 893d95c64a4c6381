"""Small files that cost much to decode, or are no image, and the answer that each must get."""

import struct
import zlib
from functools import cache
from typing import NamedTuple

from PIL import Image

from bench.inputs.corpus import images, saved

FLOOD = 1 << 18


class Bomb(NamedTuple):
    """A file and the code of the error that rejects it; "ok" where the service must accept it."""

    data: bytes
    code: str


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG with any header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def webp(name: bytes, body: bytes) -> bytes:
    """A WebP with one chunk."""
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + name + body


def bmp(width: int, height: int, compression: int = 0, body: bytes = b"") -> bytes:
    """A BMP with 8 bits per pixel and a black palette."""
    start = 54 + 1024
    head = struct.pack("<IHHI", start + len(body), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, *[0] * 3, 256, 0)
    return b"BM" + head + info + bytes(1024) + body


def jpeg(width: int, height: int) -> bytes:
    """A JPEG with a header that claims a larger size than its pixels have."""
    data = bytearray(images()["JPEG"])
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def many_scans(side: int, times: int) -> bytes:
    """A progressive JPEG that repeats its last scan, a few dozen bytes, `times` times."""
    data = saved(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def greedy_exif(entries: int) -> bytes:
    """A PNG with an EXIF directory in which each entry claims the whole block as its value."""
    size = 14 + 12 * entries
    rows = (struct.pack("<HHII", 0x9000 + i % 0x1000, 7, size, 0) for i in range(entries))
    block = b"II*\0" + struct.pack("<IH", 8, entries) + b"".join(rows)
    plain = images()["PNG"]
    return plain[:33] + chunk(b"eXIf", block) + plain[33:]


@cache
def bombs() -> dict[str, Bomb]:
    """All files, by description."""
    small, sound = images()["JPEG"], images()["PNG"]
    return {
        "PNG, 50,000 x 50,000": Bomb(png(50_000, 50_000), "too_large"),
        "JPEG, 65,000 x 65,000": Bomb(jpeg(65_000, 65_000), "too_large"),
        "BMP, 30,000 x 30,000": Bomb(bmp(30_000, 30_000), "too_large"),
        "WebP, extended, 65,536 x 65,536": Bomb(
            webp(b"VP8X", struct.pack("<IB", 10, 0) + b"\0" * 3 + b"\xff\xff\x00" * 2), "too_large"
        ),
        "WebP, lossless, 16,384 x 16,384": Bomb(
            webp(b"VP8L", struct.pack("<IBI", 10, 0x2F, 0x0FFFFFFF)), "too_large"
        ),
        "WebP, lossy, 16,383 x 16,383": Bomb(
            webp(b"VP8 ", struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f"),
            "too_large",
        ),
        "JPEG, 2,000 scans": Bomb(many_scans(16, 2000), "too_large"),
        "JPEG, many scans for its size": Bomb(many_scans(2000, 100), "too_large"),
        "JPEG, 262,144 empty segments": Bomb(
            small[:2] + b"\xff\xe5\x00\x02" * FLOOD + small[2:], "too_large"
        ),
        "JPEG, junk before its header": Bomb(b"\xff\xd8\xff\x00" + b"\0" * FLOOD, "corrupt_image"),
        "PNG, 262,144 empty chunks": Bomb(
            sound[:33] + chunk(b"teSt", b"") * FLOOD + sound[33:], "too_large"
        ),
        "PNG, pixels inflate beyond its size": Bomb(png(1, 1, bytes(1 << 26)), "ok"),
        "PNG, EXIF entries that overlap": Bomb(greedy_exif(60_000), "ok"),
        "BMP, run lengths": Bomb(bmp(16_000_000, 2, 1, b"\x01\0\0\0\0\1"), "unsupported_media"),
        "PNG, 0 x 0": Bomb(png(0, 0), "corrupt_image"),
        "JPEG, 0 x 0": Bomb(jpeg(0, 0), "corrupt_image"),
        "BMP, 0 x 16": Bomb(bmp(0, 16), "corrupt_image"),
        "WebP, lossy, 0 x 0": Bomb(
            webp(b"VP8 ", struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a\0\0\0\0"), "corrupt_image"
        ),
        "nothing": Bomb(b"", "unsupported_media"),
        "GIF": Bomb(saved(Image.new("RGB", (4, 4)), "GIF"), "unsupported_media"),
        "TIFF": Bomb(saved(Image.new("RGB", (4, 4)), "TIFF"), "unsupported_media"),
        "JPEG 2000": Bomb(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64), "unsupported_media"),
        "AVIF": Bomb(b"\0\0\0\x1cftypavif" + bytes(64), "unsupported_media"),
        "SVG": Bomb(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported_media"),
        "PDF": Bomb(b"%PDF-1.7\n", "unsupported_media"),
        "PostScript": Bomb(b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported_media"),
        "ZIP": Bomb(b"PK\x03\x04" + bytes(64), "unsupported_media"),
        "GIF before a JPEG": Bomb(b"GIF89a" + small, "unsupported_media"),
    }
