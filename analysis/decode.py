"""Decodes images to pixels; limits are checked before anything is decoded."""

import io
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from analysis import sanitize
from analysis.errors import CorruptImageError, TooLargeError
from analysis.exif import ON_ITS_SIDE, orientation, turned_upright
from analysis.sanitize import Container
from analysis.types import Source
from engines.types import U8

# `ImageLimits` checks the number of pixels; Pillow's own limit would only warn.
Image.MAX_IMAGE_PIXELS = None
# A progressive JPEG of `max_pixels` may have this many scans; a smaller one may have more.
SCANS_OF_THE_LARGEST = 16
# Pillow's images with more pixels are shrunk, to save memory while networks run. An image with a
# small face is decoded again.
KEPT_PIXELS = 4_000_000
PLAIN_COLOURS = ("YCbCr", "Gray")


class ImageLimits(NamedTuple):
    """The most that one image may cost: encoded bytes and decoded pixels.

    The methods raise TooLargeError for an image beyond the limits.
    """

    max_bytes: int
    max_pixels: int

    def check_bytes(self, data: bytes) -> None:
        """Check the encoded size."""
        if len(data) > self.max_bytes:
            raise TooLargeError(f"the image has {len(data)} bytes; the limit is {self.max_bytes}")

    def check_pixels(self, width: int, height: int) -> None:
        """Check the decoded size."""
        if width * height > self.max_pixels:
            raise TooLargeError(
                f"the image has {width}x{height} pixels; the limit is {self.max_pixels} in all"
            )

    def check_scans(self, width: int, height: int, scans: int) -> None:
        """Check the scans of a progressive JPEG: each takes time for all pixels in few bytes."""
        most = SCANS_OF_THE_LARGEST * self.max_pixels // (width * height)
        if scans > most:
            raise TooLargeError(
                f"the image has {scans} scans; at its size {most} are allowed; save it again"
            )


class Picture(NamedTuple):
    """An upright image: RGB pixels (h, w, 3) uint8, perhaps fewer than its `width` x `height`."""

    pixels: U8
    width: int
    height: int

    @property
    def reduced(self) -> bool:
        """Whether the pixels are fewer than those of the image."""
        return self.pixels.shape[:2] != (self.height, self.width)


def open_source(source: Source, limits: ImageLimits, side: int | None = None) -> Picture:
    """Decode an encoded image with `open_picture`; return pixels unchanged."""
    if isinstance(source, bytes):
        return open_picture(source, limits, side)
    return Picture(source, source.shape[1], source.shape[0])


def decode(data: bytes, limits: ImageLimits) -> U8:
    """Decode an image to upright RGB, uint8 (height, width, 3); see `open_picture`."""
    return open_picture(data, limits).pixels


def open_picture(data: bytes, limits: ImageLimits, side: int | None = None) -> Picture:
    """Decode a JPEG, PNG, WebP or BMP to upright RGB.

    EXIF orientation is applied; 16-bit samples keep their high byte; grey, palette and CMYK are
    converted; transparent pixels are blended with white, as in a browser; only the first frame of
    an animation is decoded.

    Without `side` all pixels are decoded. With it, a JPEG is decoded at a half, a quarter or an
    eighth of its size (libjpeg scales the cosine transform) if its longer side keeps at least
    `side` pixels. Any other image of more than `KEPT_PIXELS` is decoded in full, and then divided
    by a whole number so that its longer side keeps at least `side` pixels.

    Raises:
        TooLargeError: more bytes, pixels or parts than allowed; nothing was decoded.
        UnsupportedMediaTypeError: the first bytes are those of no supported format.
        CorruptImageError: the format is supported, but the image is damaged.
    """
    limits.check_bytes(data)
    container = sanitize.read(data)
    try:
        return _turbo(container, limits, side) or _pillow(container, limits, side)
    except TooLargeError:
        raise
    except Exception as error:  # decoders raise errors of many kinds
        raise CorruptImageError(
            f"the {container.kind} image cannot be decoded; send it whole"
        ) from error


def _turbo(container: Container, limits: ImageLimits, side: int | None) -> Picture | None:
    """Decode a plain JPEG with libjpeg-turbo; return None to leave the image to Pillow.

    Pillow decodes the same pixels, but copies them two more times.
    """
    if container.kind != "JPEG":
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(container.data)
        if colours not in PLAIN_COLOURS:
            return None
        limits.check_pixels(width, height)
        limits.check_scans(width, height, container.scans)
        size = {} if side is None else _minimum_size(width, height, side)
        pixels = simplejpeg.decode_jpeg(container.data, "RGB", **size)
    except ValueError:  # Pillow is more tolerant
        return None
    return _picture(pixels, width, height, container.orientation)


def _minimum_size(width: int, height: int, side: int) -> dict[str, int]:
    """Return simplejpeg's argument for a whole, a half, a quarter or an eighth of the size.

    libjpeg takes longer for other ratios.
    """
    longer = max(width, height)
    divisor = next((each for each in (8, 4, 2) if longer >= each * side), 1)
    return {"min_width" if width >= height else "min_height": -(-longer // divisor)}


def _pillow(container: Container, limits: ImageLimits, side: int | None) -> Picture:
    if container.kind == "WEBP":  # Pillow allocates the canvas when it opens one
        limits.check_pixels(*sanitize.webp_size(container.data))
    with Image.open(io.BytesIO(container.data), formats=[container.kind]) as image:
        limits.check_pixels(*image.size)
        limits.check_scans(*image.size, container.scans)
        image.load()
        turn = container.orientation
        if container.kind == "WEBP":
            turn = orientation(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
        pixels = np.asarray(_rgb(image))
        return _picture(pixels if side is None else _shrunk(pixels, side), *image.size, turn)


def _picture(pixels: U8, width: int, height: int, turn: int) -> Picture:
    """Turn stored pixels upright; `width` and `height` are the size of the stored image."""
    if turn in ON_ITS_SIDE:
        width, height = height, width
    return Picture(turned_upright(pixels, turn), width, height)


def _shrunk(pixels: U8, side: int) -> U8:
    """Divide a large image by the largest whole number that leaves `side` pixels."""
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
