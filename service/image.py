"""Bytes to pixels, under limits that hold before anything is decoded."""

import io
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from service.errors import CorruptImage, TooLarge, UnsupportedMediaType

U8 = NDArray[np.uint8]
# Our own limit on pixels is checked by `_refuse_large`; Pillow's would only warn.
Image.MAX_IMAGE_PIXELS = None


class ImageLimits(NamedTuple):
    """The most that one image may cost: encoded bytes and decoded pixels."""

    max_bytes: int
    max_pixels: int


class Picture(NamedTuple):
    """An upright image: RGB pixels uint8, maybe of fewer than the whole `width` x `height`."""

    pixels: U8
    width: int
    height: int

    @property
    def reduced(self) -> bool:
        """Whether the pixels are fewer than the image has."""
        return self.pixels.shape[:2] != (self.height, self.width)


def decode(data: bytes, limits: ImageLimits) -> U8:
    """Decode an image to upright RGB, uint8 (height, width, 3); see `open_picture`."""
    return open_picture(data, limits).pixels


def open_picture(data: bytes, limits: ImageLimits, side: int | None = None) -> Picture:
    """Decode a JPEG, PNG, WebP or BMP to upright RGB.

    EXIF orientation is applied; 16-bit samples keep their high byte; grey, palette and CMYK are
    converted; transparency is laid on white, as a browser shows it. Of an animation the first
    frame counts. A JPEG whose longer side is at least twice `side` is decoded at a half, a quarter
    or an eighth (libjpeg scales the cosine transform), so that the longer side is still `side`.

    Raises:
        TooLarge: more bytes or pixels than `limits` allow; nothing was decoded.
        UnsupportedMediaType: the first bytes are those of no format that we read.
        CorruptImage: the format is right, the rest is not.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge(f"the image has {len(data)} bytes; the limit is {limits.max_bytes}")
    kind = sniff(data)
    if kind == "WEBP":
        _refuse_large(*_webp_size(data), limits)  # Pillow allocates the canvas when it opens one
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            _refuse_large(*image.size, limits)
            width, height = _upright_size(image)
            if side is not None:
                share = side / max(image.size)
                image.draft(image.mode, (int(image.width * share), int(image.height * share)))
            pixels = np.asarray(_rgb(ImageOps.exif_transpose(image)))
            return Picture(pixels, width, height)
    except TooLarge:
        raise
    except Exception as error:  # decoders raise what they like; none of it is ours
        raise CorruptImage(f"the {kind} image cannot be decoded; send it whole") from error


def sniff(data: bytes) -> str:
    """Name the format by its first bytes: file names and headers may lie.

    Raises:
        UnsupportedMediaType: none that we read.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM":
        return "BMP"
    raise UnsupportedMediaType("not a JPEG, PNG, WebP or BMP image")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once EXIF's orientation is applied: 5 to 8 lie on their side."""
    width, height = image.size
    on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) in {5, 6, 7, 8}
    return (height, width) if on_its_side else (width, height)


def _refuse_large(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"the image has {width}x{height} pixels; the limit is {limits.max_pixels} in all"
        )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file (RFC 9649, sections 2.5 to 2.7)."""
    try:
        match data[12:16]:
            case b"VP8X":
                return _uint24(data, 24) + 1, _uint24(data, 27) + 1
            case b"VP8L":
                bits = struct.unpack_from("<I", data, 21)[0]
                return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            case _:
                width, height = struct.unpack_from("<HH", data, 26)
                return width & 0x3FFF, height & 0x3FFF
    except (struct.error, IndexError) as error:
        raise CorruptImage("the WEBP image is cut within its header; send it whole") from error


def _uint24(data: bytes, offset: int) -> int:
    return data[offset] | data[offset + 1] << 8 | data[offset + 2] << 16


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey; convert() would clip it
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
