"""Bytes to pixels, under limits that hold before anything is decoded."""

import io
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from analysis import sanitize
from analysis.errors import CorruptImageError, TooLargeError
from analysis.exif import orientation
from analysis.sanitize import Container
from analysis.types import Source
from engines.types import U8

# Our own limit on pixels is checked by `_refuse_large`; Pillow's would only warn.
Image.MAX_IMAGE_PIXELS = None
# A progressive JPEG of the largest size may have this many scans; smaller ones as many more.
SCANS_OF_THE_LARGEST = 16
# Larger images are kept shrunk while networks run, and are decoded again if a face is small.
KEPT_PIXELS = 4_000_000
# The turn that each EXIF orientation needs, and the orientations that swap width and height.
UPRIGHT: dict[int, Callable[[U8], U8]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}
ON_ITS_SIDE = (5, 6, 7, 8)
PLAIN_COLOURS = ("YCbCr", "Gray")


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


def opened(source: Source, limits: ImageLimits, side: int | None = None) -> Picture:
    """Decode as much of an image as is needed, see `open_picture`; pixels are taken as they are."""
    if isinstance(source, bytes):
        return open_picture(source, limits, side)
    return Picture(source, source.shape[1], source.shape[0])


def decode(data: bytes, limits: ImageLimits) -> U8:
    """Decode an image to upright RGB, uint8 (height, width, 3); see `open_picture`."""
    return open_picture(data, limits).pixels


def open_picture(data: bytes, limits: ImageLimits, side: int | None = None) -> Picture:
    """Decode a JPEG, PNG, WebP or BMP to upright RGB.

    EXIF orientation is applied; 16-bit samples keep their high byte; grey, palette and CMYK are
    converted; transparency is laid on white, as a browser shows it. Of an animation the first
    frame counts. A JPEG is decoded at a half, a quarter or an eighth (libjpeg scales the cosine
    transform) if that leaves its longer side at least `side`; other images beyond `KEPT_PIXELS` are
    shrunk by a whole number once they are decoded.

    Raises:
        TooLargeError: more bytes, pixels or parts than `limits` allow; nothing was decoded.
        UnsupportedMediaTypeError: the first bytes are those of no supported format.
        CorruptImageError: the format is supported, the rest is damaged.
    """
    if len(data) > limits.max_bytes:
        raise TooLargeError(f"the image has {len(data)} bytes; the limit is {limits.max_bytes}")
    container = sanitize.read(data)
    try:
        picture = _turbo(container, limits, side) or _pillow(container, limits, side)
    except TooLargeError:
        raise
    except Exception as error:  # decoders raise errors of many kinds
        raise CorruptImageError(
            f"the {container.kind} image cannot be decoded; send it whole"
        ) from error
    return picture


def _turbo(container: Container, limits: ImageLimits, side: int | None) -> Picture | None:
    """Decode a plain JPEG by libjpeg-turbo; None leaves the image to Pillow.

    Its pixels are those of Pillow, which copies them twice more.
    """
    if container.kind != "JPEG":
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(container.data)
        if colours not in PLAIN_COLOURS:
            return None
        _refuse_large(width, height, limits)
        _refuse_long((width, height), container.scans, limits)
        least = {} if side is None else _least(width, height, side)
        pixels = simplejpeg.decode_jpeg(container.data, "RGB", **least)
    except ValueError:  # Pillow is more tolerant
        return None
    return _picture(pixels, width, height, container.orientation)


def _least(width: int, height: int, side: int) -> dict[str, int]:
    """Ask libjpeg for a whole, a half, a quarter or an eighth; other shares take longer."""
    longer = max(width, height)
    divisor = next((each for each in (8, 4, 2) if longer >= each * side), 1)
    return {"min_width" if width >= height else "min_height": -(-longer // divisor)}


def _pillow(container: Container, limits: ImageLimits, side: int | None) -> Picture:
    if container.kind == "WEBP":  # Pillow allocates the canvas when it opens one
        _refuse_large(*sanitize.webp_size(container.data), limits)
    with Image.open(io.BytesIO(container.data), formats=[container.kind]) as image:
        _refuse_large(*image.size, limits)
        _refuse_long(image.size, container.scans, limits)
        image.load()
        turned = container.orientation
        if container.kind == "WEBP":
            turned = orientation(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
        pixels = np.asarray(_rgb(image))
        return _picture(pixels if side is None else _shrunk(pixels, side), *image.size, turned)


def _picture(pixels: U8, width: int, height: int, turned: int) -> Picture:
    """Turn stored pixels upright, as EXIF's orientation 1 to 8 says; the size is in full pixels."""
    if turned in ON_ITS_SIDE:
        width, height = height, width
    return Picture(np.ascontiguousarray(UPRIGHT[turned](pixels)), width, height)


def _refuse_large(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise TooLargeError(
            f"the image has {width}x{height} pixels; the limit is {limits.max_pixels} in all"
        )


def _refuse_long(size: tuple[int, int], scans: int, limits: ImageLimits) -> None:
    """Each scan of a progressive JPEG passes over all of its pixels, however few bytes it has."""
    most = SCANS_OF_THE_LARGEST * limits.max_pixels // (size[0] * size[1])
    if scans > most:
        raise TooLargeError(
            f"the image has {scans} scans; at its size {most} are allowed; save it anew"
        )


def _shrunk(pixels: U8, side: int) -> U8:
    """A large picture divided by the largest whole number that leaves `side` pixels."""
    height, width = pixels.shape[:2]
    factor = max(height, width) // side
    if height * width <= KEPT_PIXELS or factor < 2:
        return pixels
    size = max(1, width // factor), max(1, height // factor)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey; convert() would clip it
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image.convert("RGB")
