"""Small files that cost much to decode, and the answer that each must get."""

import struct
import warnings
import zlib
from functools import cache
from typing import NamedTuple

from PIL import Image

from bench.inputs.corpus import HEIGHT, WIDTH, images, pixels
from bench.inputs.photos import Tags, box, directory, tiff
from bench.inputs.saving import saved

FLOOD = 1 << 18
# Where the picture of a GIF begins: behind its header and palette.
GIF_PICTURE = 13 + 3 * 256
# Numbers in the header of a JPEG XL, lowest bit first: sides of 8 pixels, and of a million.
SMALL = "1" + "00000" + "100"
MILLION = "11" + f"{999_999:030b}"[::-1]


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


def jpeg(width: int, height: int, name: str = "JPEG") -> bytes:
    """A JPEG with a header that claims a larger size than its pixels have."""
    data = bytearray(images()[name])
    at = data.index(b"\xff\xc2" if "progressive" in name else b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def many_scans(side: int, times: int) -> bytes:
    """A progressive JPEG that repeats its last scan, a few dozen bytes, `times` times."""
    data = saved(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def greedy_exif(entries: int) -> bytes:
    """EXIF data in which each entry claims the whole block as its value."""
    size = 14 + 12 * entries
    rows = (struct.pack("<HHII", 0x9000 + i % 0x1000, 7, size, 0) for i in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + b"".join(rows) + bytes(4)


def gif(screen: int, side: int) -> bytes:
    """A GIF whose header and picture claim these sides."""
    data = bytearray(images()["GIF"])
    data[6:10] = struct.pack("<HH", screen, screen)
    data[GIF_PICTURE + 5 : GIF_PICTURE + 9] = struct.pack("<HH", side, side)
    return bytes(data)


def looping_tiff() -> bytes:
    """A TIFF with one directory, a thumbnail's, which is also the next one."""
    (start,) = struct.unpack_from("<I", tiff(pixels(), tags={254: 1}), 4)
    return tiff(pixels(), tags={254: 1}, then=start)


def greedy_tiff(entries: int) -> bytes:
    """A TIFF with tags that each claim the whole file as their value."""
    plain = tiff(pixels())
    (start,) = struct.unpack_from("<I", plain, 4)
    (count,) = struct.unpack_from("<H", plain, start)
    rows = plain[start + 2 : start + 2 + 12 * count]
    size = len(plain) + 12 * (count + entries)
    rows += b"".join(struct.pack("<HHII", 40_000 + i, 7, size, 0) for i in range(entries))
    directory = struct.pack("<H", count + entries) + rows + bytes(4)
    return plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + directory


def tiff_with_scans(scans: int) -> bytes:
    """A TIFF of a large size in one strip, a progressive JPEG of many scans."""
    strip = many_scans(1000, scans)
    strip += b"\0" * (len(strip) % 2)
    start = 8 + len(strip)
    values: Tags = {256: 1000, 257: 1000, 258: [8] * 3, 277: 3, 278: 1000}
    return (
        struct.pack("<2sHI", b"II", 42, start)
        + strip
        + directory({**values, 259: 7, 262: 6, 273: 8, 279: len(strip)}, start)
    )


def heif(name: str, width: int, height: int) -> bytes:
    """A HEIC or AVIF whose header claims this size."""
    data = images()[name]
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def lying_heif() -> bytes:
    """A HEIC whose pixels are more than its header says."""
    data = saved(Image.new("RGB", (512, 512)), "HEIF")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :]


@cache
def lying_avif() -> bytes:
    """An AVIF whose pixels are more than its header says."""
    data = saved(Image.new("L", (3000, 3000)), "AVIF", speed=10)
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :]


def lying_alpha() -> bytes:
    """An AVIF of which the second item alone, the alpha channel, is that of `lying_avif`."""
    small, large = saved(Image.new("RGBA", (64, 64)), "AVIF"), lying_avif()
    begin, length = struct.unpack_from(">II", large, large.index(b"iloc") + 18)
    entry = small.index(b"iloc") + 18 + 14
    place = struct.pack(">II", len(small) + 8, length)
    hidden = box(b"mdat", large[begin : begin + length])
    return small[:entry] + place + small[entry + 8 :] + hidden


def avif_of(data: bytes) -> bytes:
    """An AVIF of any AV1 data."""
    small = images()["AVIF"]
    entry = small.index(b"iloc") + 18
    place = struct.pack(">II", len(small) + 8, len(data))
    return small[:entry] + place + small[entry + 8 :] + box(b"mdat", data)


def big_grid() -> bytes:
    """A HEIC whose tiles make up a larger image than its header says."""
    data = images()["HEIC, tiles"]
    grid = struct.pack(">BBBBHH", 0, 0, 0, 1, WIDTH, HEIGHT)
    return data.replace(grid, grid[:4] + struct.pack(">HH", 30_000, 30_000))


def avif_with_exif(block: bytes) -> bytes:
    """An AVIF with any EXIF data."""
    image, fine = Image.fromarray(pixels()), {"quality": 95, "subsampling": "4:4:4"}
    with warnings.catch_warnings(action="ignore"):  # Pillow reads the block, too
        return saved(image, "AVIF", exif=block, **fine)


def jpeg_xl(header: str) -> bytes:
    """A JPEG XL that begins with these bits, the first one first."""
    return b"\xff\x0a" + int(header[::-1], 2).to_bytes(64, "little")


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
        "PNG, EXIF entries that overlap": Bomb(
            sound[:33] + chunk(b"eXIf", greedy_exif(60_000)) + sound[33:], "ok"
        ),
        "BMP, run lengths": Bomb(bmp(16_000_000, 2, 1, b"\x01\0\0\0\0\1"), "unsupported_media"),
        "PNG, 0 x 0": Bomb(png(0, 0), "corrupt_image"),
        "JPEG, 0 x 0": Bomb(jpeg(0, 0), "corrupt_image"),
        "BMP, 0 x 16": Bomb(bmp(0, 16), "corrupt_image"),
        "WebP, lossy, 0 x 0": Bomb(
            webp(b"VP8 ", struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a\0\0\0\0"), "corrupt_image"
        ),
        "GIF before a JPEG": Bomb(b"GIF89a" + small, "corrupt_image"),
        **_photos(),
    }


def _photos() -> dict[str, Bomb]:
    plain, exif, plain_gif = pixels(), greedy_exif(4000), images()["GIF"]
    return {
        "JPEG, progressive, 9,000 x 9,000": Bomb(
            jpeg(9_000, 9_000, "JPEG, progressive"), "too_large"
        ),
        "GIF, a screen of 65,535 x 65,535": Bomb(gif(65_535, 16), "too_large"),
        "GIF, a picture of 65,535 x 65,535": Bomb(gif(16, 65_535), "too_large"),
        "GIF, 262,144 comments": Bomb(
            plain_gif[:GIF_PICTURE] + b"\x21\xfe\1.\0" * FLOOD + plain_gif[GIF_PICTURE:], "ok"
        ),
        "GIF, 2,097,152 blocks": Bomb(
            plain_gif[:GIF_PICTURE] + b"\x21\xfe" + b"\1." * (FLOOD * 8), "too_large"
        ),
        "TIFF, 60,000 x 60,000": Bomb(tiff(plain, tags={256: 60_000, 257: 60_000}), "too_large"),
        "TIFF, a tile of 60,000 x 60,000": Bomb(
            tiff(plain, tile=32, tags={322: 60_000, 323: 60_000}), "too_large"
        ),
        "TIFF, 262,144 strips": Bomb(
            tiff(plain, tags={273: [8] * FLOOD, 279: [1] * FLOOD}), "too_large"
        ),
        "TIFF, strips that overlap": Bomb(
            tiff(plain, tags={259: 5, 278: 1, 273: [8] * 16, 279: [1000] * 16}), "corrupt_image"
        ),
        "TIFF, 60,000 tags": Bomb(greedy_tiff(20_000), "too_large"),
        "TIFF, tags that overlap": Bomb(greedy_tiff(4000), "ok"),
        "TIFF, directories in a loop": Bomb(looping_tiff(), "ok"),
        "TIFF, many scans for its size": Bomb(tiff_with_scans(100), "too_large"),
        "HEIC, 30,000 x 30,000": Bomb(heif("HEIC", 30_000, 30_000), "too_large"),
        "HEIC, larger than its header": Bomb(lying_heif(), "corrupt_image"),
        "HEIC, 2,000 items": Bomb(images()["HEIC"] + box(b"free", b"infe\2" * 2000), "too_large"),
        "HEIC, tiles of 30,000 x 30,000": Bomb(big_grid(), "corrupt_image"),
        "AVIF, 16,000 x 16,000": Bomb(heif("AVIF", 16_000, 16_000), "too_large"),
        "AVIF, larger than its header": Bomb(lying_avif(), "too_large"),
        "AVIF, alpha larger than its header": Bomb(lying_alpha(), "too_large"),
        "AVIF, no AV1 data": Bomb(avif_of(bytes(64)), "corrupt_image"),
        "AVIF, 262,144 empty units": Bomb(avif_of(b"\x12\0" * FLOOD), "too_large"),
        "AVIF, EXIF entries that overlap": Bomb(avif_with_exif(exif), "ok"),
        "JPEG XL, 1,000,000 x 1,000,000": Bomb(
            jpeg_xl("0" + MILLION + "000" + MILLION), "too_large"
        ),
        "JPEG XL, 4,096 extra channels": Bomb(
            jpeg_xl(SMALL + "0" + "0" + "000" + "1" + "11" + "1" * 12), "too_large"
        ),
        "JPEG XL, compressed metadata": Bomb(
            images()["JPEG XL, in a container"][:32]
            + box(b"brob", b"xml " + bytes(64))
            + images()["JPEG XL, in a container"][32:],
            "ok",
        ),
    }
