"""Small images of the formats of cameras, scanners and phones, besides JPEG."""

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from analysis import plugins
from bench.inputs.saving import saved
from engines.types import Array

Files = Iterator[tuple[str, bytes]]
Tags = Mapping[int, int | list[int]]
LONG = 4
# Compressions of TIFF by their names and Pillow's.
COMPRESSIONS = {
    "LZW": "tiff_lzw",
    "Deflate": "tiff_adobe_deflate",
    "PackBits": "packbits",
    "JPEG": "jpeg",
    "Zstandard": "zstd",
}


def files(plain: Image.Image, other: Image.Image) -> Files:
    """Yield names and files; each shows `plain`, in grey where the name has it."""
    plain, other = plain.copy(), other.copy()  # Pillow keeps the options of earlier formats
    for kind in ("AVIF", "HEIC", "JPEG XL"):
        plugins.load(kind)
    yield from _gif(plain, other)
    yield from _tiff(plain, other)
    yield from _heic(plain, other)
    yield from _avif(plain, other)
    yield from _jpeg_xl(plain)


def _gif(plain: Image.Image, other: Image.Image) -> Files:
    colours, grey = plain.quantize(256), plain.convert("L")
    yield "GIF", saved(colours, "GIF")
    yield "GIF, grey", saved(grey, "GIF", interlace=1)
    yield (
        "GIF, animated",
        saved(colours, "GIF", save_all=True, append_images=[other], disposal=2, comment=b"corpus"),
    )


def _tiff(plain: Image.Image, other: Image.Image) -> Files:
    grey, pixels = plain.convert("L"), np.asarray(plain)
    wide = np.asarray(grey, np.uint16) * 257
    srgb, cie = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.buildTransform(srgb, cie, "RGB", "LAB").apply(plain)
    yield "TIFF", saved(plain, "TIFF")
    for name, compression in COMPRESSIONS.items():
        fine = {"quality": 95} if name == "JPEG" else {}
        yield f"TIFF, {name}", saved(plain, "TIFF", compression=compression, **fine)
    yield "TIFF, BigTIFF", saved(plain, "TIFF", big_tiff=True)
    yield "TIFF, several pages", saved(plain, "TIFF", save_all=True, append_images=[other])
    yield "TIFF, big-endian", tiff(pixels, ">")
    yield "TIFF, tiles", tiff(pixels, tile=16)
    yield "TIFF, planes", tiff(pixels.transpose(2, 0, 1))
    yield "TIFF, 16 bits", tiff(pixels.astype(np.uint16) * 257)
    yield "TIFF, 16-bit grey", saved(Image.fromarray(wide), "TIFF")
    yield "TIFF, 16-bit grey, white is zero", tiff(65535 - wide, tags={262: 0})
    yield "TIFF, floating-point grey", saved(Image.fromarray(wide / np.float32(65535)), "TIFF")
    floats = np.float32(1) - wide / np.float32(65535)
    yield "TIFF, floating-point grey, white is zero", tiff(floats, tags={262: 0, 339: 3})
    yield "TIFF, grey, premultiplied alpha", _with_alpha(np.asarray(grey))
    yield "TIFF, palette", saved(plain.quantize(256), "TIFF")
    yield "TIFF, CMYK", saved(plain.convert("CMYK"), "TIFF")
    yield "TIFF, YCbCr", saved(plain.convert("YCbCr"), "TIFF")
    yield "TIFF, LAB", saved(lab, "TIFF")
    yield "TIFF, alpha", saved(opaque(plain), "TIFF", compression="tiff_lzw")


def _with_alpha(grey: Array) -> bytes:
    """A TIFF of a grey and an opaque premultiplied alpha per pixel."""
    pairs = np.stack([grey, np.full_like(grey, 255)], -1).reshape(len(grey), -1)
    tags: Tags = {256: grey.shape[1], 258: [8, 8], 277: 2, 338: 1}
    return tiff(pairs, tags=tags)


def _heic(plain: Image.Image, other: Image.Image) -> Files:
    fine: dict[str, object] = {"quality": 95, "chroma": 444}
    wide = np.asarray(plain, np.uint16) * 257
    burst = {"save_all": True, "append_images": [plain], "primary_index": 1}
    yield "HEIC", saved(plain, "HEIF", **fine)
    yield "HEIC, grey", saved(plain.convert("L"), "HEIF", quality=95)
    yield "HEIC, 10 bits", _saved_heif(pillow_heif.from_bytes("RGB;16", plain.size, wide.tobytes()))
    yield "HEIC, alpha", saved(opaque(plain), "HEIF", **fine)
    yield "HEIC, several pictures", saved(other, "HEIF", **burst, **fine)
    yield "HEIC, tiles", saved(plain, "HEIF", tile_size=16, **fine)


def _saved_heif(file: pillow_heif.HeifFile) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer, quality=95, chroma=444)
    return buffer.getvalue()


def _avif(plain: Image.Image, other: Image.Image) -> Files:
    fine: dict[str, object] = {"quality": 95, "subsampling": "4:4:4"}
    yield "AVIF", saved(plain, "AVIF", **fine)
    yield "AVIF, alpha", saved(opaque(plain), "AVIF", **fine)
    yield "AVIF, animated", saved(plain, "AVIF", save_all=True, append_images=[other], **fine)


def _jpeg_xl(plain: Image.Image) -> Files:
    wide = np.asarray(plain.convert("L"), np.uint16) * 257
    yield "JPEG XL", saved(plain, "JXL", quality=95)
    yield "JPEG XL, in a container", saved(plain, "JXL", lossless=True, use_container=True)
    yield "JPEG XL, alpha", saved(opaque(plain), "JXL", lossless=True)
    yield "JPEG XL, 16-bit grey", saved(Image.fromarray(wide), "JXL", lossless=True)


def opaque(image: Image.Image) -> Image.Image:
    """The same image with a channel of transparency, all of it opaque."""
    image = image.convert("RGBA")
    image.putalpha(255)
    return image


def tiff(
    pixels: Array,
    order: Literal["<", ">"] = "<",
    *,
    tile: int = 0,
    tags: Tags | None = None,
    start: int = 0,
    then: int = 0,
) -> bytes:
    """A TIFF without compression: grey (h, w), RGB (h, w, 3), or planes (3, h, w).

    order: "<" or ">"; tile: the side of tiles, or 0 for one strip per plane; tags: values to
    replace or add; start: where it begins in another file; then: the place of the next directory.
    """
    planar = pixels.ndim == 3 and pixels.shape[0] == 3
    height, width = pixels.shape[1:] if planar else pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    pixels = pixels.astype(pixels.dtype.newbyteorder(order))
    parts = _tiles(pixels, tile) if tile else [*(pixels if planar else pixels[None])]
    strips = [part.tobytes() for part in parts]
    sizes = [len(strip) for strip in strips]
    offsets = [start + 8 + sum(sizes[:number]) for number in range(len(strips))]
    tiles: Tags = {322: tile, 323: tile, 324: offsets, 325: sizes}
    values = {
        **{256: width, 257: height, 258: [8 * pixels.itemsize] * samples, 259: 1},
        **{262: 1 if samples == 1 else 2, 277: samples, 278: height, 284: 2 if planar else 1},
        **(tiles if tile else {273: offsets, 279: sizes}),
        **(tags or {}),
    }
    at = start + 8 + sum(sizes)
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, at)
    return head + b"".join(strips) + directory(values, at, order, then)


def _tiles(pixels: Array, side: int) -> list[Array]:
    """Cut pixels into squares, row by row; those at the edges are filled with zeros."""
    height, width = pixels.shape[:2]
    edges = [(0, -height % side), (0, -width % side), (0, 0)][: pixels.ndim]
    padded = np.pad(pixels, edges)
    corners = [(y, x) for y in range(0, height, side) for x in range(0, width, side)]
    return [padded[y : y + side, x : x + side] for y, x in corners]


def directory(values: Tags, at: int, order: str = "<", then: int = 0) -> bytes:
    """A directory of a TIFF that begins at `at`: whole numbers by tag; `then` is the next one."""
    rows, tail = [], b""
    end = at + 6 + 12 * len(values)
    for tag, value in sorted(values.items()):
        numbers = value if isinstance(value, list) else [value]
        place = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(place) > 4:
            place, tail = struct.pack(order + "I", end + len(tail)), tail + place
        rows.append(struct.pack(order + "HHI", tag, LONG, len(numbers)) + place)
    head = struct.pack(order + "H", len(rows))
    return head + b"".join(rows) + struct.pack(order + "I", then) + tail


def box(kind: bytes, body: bytes) -> bytes:
    """A box of an ISO base media file."""
    return struct.pack(">I", 8 + len(body)) + kind + body
