"""Decodes images to pixels; limits are checked before anything is decoded."""

import io
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from analysis import plugins, sanitize
from analysis.colours import rgb
from analysis.containers.container import Container
from analysis.containers.tiff import UNUSUAL
from analysis.errors import CorruptImageError, ServiceError, TooLargeError
from analysis.exif import ON_ITS_SIDE, orientation, turned_upright
from analysis.formats import refusal
from analysis.types import Source
from engines.types import U8

# `ImageLimits` checks the number of pixels; Pillow's own limit would only warn.
Image.MAX_IMAGE_PIXELS = None
# A JPEG may have this many times `max_pixels`, summed over its scans.
JPEG_WORK = 16
# Pillow's images with more pixels are shrunk, to save memory while networks run. An image with a
# small face is decoded again.
KEPT_PIXELS = 4_000_000
# libjpeg scales its cosine transform; it takes longer for other ratios.
DIVISORS = (1, 2, 4, 8)
PLAIN_COLOURS = ("YCbCr", "Gray")
# Pillow reports the orientation of these as EXIF data; that of AVIF comes from the container.
EXIF_IN_INFO = ("WEBP", "AVIF")


# Pixels that the longer side of a decoded image needs, from the width and height of the image.
Side = Callable[[int, int], int]


class ImageLimits(NamedTuple):
    """The most that one image may cost: encoded bytes and decoded pixels.

    The methods raise TooLargeError for an image beyond the limits.
    """

    max_bytes: int
    max_pixels: int

    def check_bytes(self, data: bytes) -> None:
        """Check the encoded size."""
        if len(data) > self.max_bytes:
            raise TooLargeError(
                f"the image has {len(data):,} bytes; the limit is {self.max_bytes:,} bytes"
            )

    def check_pixels(self, width: int, height: int, times: int = 1) -> None:
        """Check the size of an image against a multiple of the limit."""
        if width * height > times * self.max_pixels:
            raise TooLargeError(
                f"the image has {width:,} x {height:,} pixels; the limit is "
                f"{times * self.max_pixels:,} pixels; send it smaller"
            )

    def check_scans(self, width: int, height: int, scans: int) -> None:
        """Check the scans of a JPEG: each takes time for all pixels in few bytes."""
        self.check_pixels(width, height, JPEG_WORK)
        most = JPEG_WORK * self.max_pixels // max(1, width * height)
        if scans > most:
            raise TooLargeError(
                f"the image has {scans:,} scans; at its size {most:,} are allowed; save it again"
            )

    def divisor(self, width: int, height: int, streamed: bool) -> int:
        """Return the least divisor of a JPEG's sides at which its decoded pixels fit.

        A decoder keeps the coefficients of all pixels unless the JPEG is `streamed`.
        """
        if not streamed:
            self.check_pixels(width, height)
        fits = (d for d in DIVISORS if -(-width // d) * -(-height // d) <= self.max_pixels)
        return next(fits, DIVISORS[-1])


class Picture(NamedTuple):
    """An upright image: RGB pixels (h, w, 3) uint8, perhaps fewer than its `width` x `height`."""

    pixels: U8
    width: int
    height: int

    @property
    def reduced(self) -> bool:
        """Whether the pixels are fewer than those of the image."""
        return self.pixels.shape[:2] != (self.height, self.width)


def open_source(source: Source, limits: ImageLimits, side: Side | None = None) -> Picture:
    """Decode an encoded image with `open_picture`; return pixels unchanged."""
    if isinstance(source, bytes):
        return open_picture(source, limits, side)
    return Picture(source, source.shape[1], source.shape[0])


def decode(data: bytes, limits: ImageLimits) -> U8:
    """Decode an image to upright RGB, uint8 (height, width, 3); see `open_picture`."""
    return open_picture(data, limits).pixels


def open_picture(data: bytes, limits: ImageLimits, side: Side | None = None) -> Picture:
    """Decode an image of any format of `analysis.formats` to upright RGB.

    The orientation of EXIF or of the container is applied; samples of more than 8 bits keep their
    high bits; other colours are converted; transparent pixels are blended with white, as in a
    browser; only the first frame, page or picture is decoded.

    A JPEG is decoded at a half, a quarter or an eighth of its size if its decoded pixels would
    otherwise exceed `max_pixels`, or if its longer side keeps at least `side` pixels. With `side`,
    any other image of more than `KEPT_PIXELS` is decoded in full, and then divided by a whole
    number so that its longer side keeps at least that many pixels.

    Raises:
        TooLargeError: more bytes, pixels or parts than allowed; nothing was decoded.
        UnsupportedMediaTypeError: the format, or the form of its samples, is not supported.
        CorruptImageError: the format is supported, but the image is damaged.
    """
    limits.check_bytes(data)
    container = sanitize.read(data)
    try:
        return _turbo(container, limits, side) or _pillow(container, limits, side)
    except (ServiceError, KeyboardInterrupt, SystemExit):
        raise
    except UnidentifiedImageError as error:
        if container.kind == "TIFF":  # its directory is sound
            raise refusal(UNUSUAL) from error
        raise _corrupt(container.kind) from error
    except BaseException as error:  # decoders raise many kinds; a panic in Rust is not an Exception
        raise _corrupt(container.kind) from error


def _corrupt(kind: str) -> CorruptImageError:
    return CorruptImageError(f"the {kind} image cannot be decoded; send it whole")


def _turbo(container: Container, limits: ImageLimits, side: Side | None) -> Picture | None:
    """Decode a plain JPEG with libjpeg-turbo; return None to leave the image to Pillow.

    Pillow decodes the same pixels, but copies them two more times.
    """
    if container.kind != "JPEG":
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(container.data)
        if colours not in PLAIN_COLOURS:
            return None
        divisor = _divisor(container, limits, width, height, side)
        longer = "min_width" if width >= height else "min_height"
        least = {} if divisor == 1 else {longer: -(-max(width, height) // divisor)}
        pixels = simplejpeg.decode_jpeg(container.data, "RGB", **least)
    except ValueError:  # Pillow is more tolerant
        return None
    return _picture(pixels, width, height, container.orientation)


def _divisor(
    container: Container, limits: ImageLimits, width: int, height: int, side: Side | None
) -> int:
    """Check the size of a JPEG; return the divisor of its sides."""
    least = limits.divisor(width, height, container.streamed)
    limits.check_scans(width, height, container.scans)
    if side is None:
        return least
    enough = side(width, height)
    return max(least, *(each for each in DIVISORS if max(width, height) >= each * enough), 1)


def _pillow(container: Container, limits: ImageLimits, side: Side | None) -> Picture:
    if container.size is not None:
        limits.check_pixels(*container.size)
    formats = [plugins.load(container.kind)]
    with Image.open(io.BytesIO(container.data), formats=formats) as image:
        width, height = image.size
        if container.kind == "JPEG":
            divisor = _divisor(container, limits, width, height, side)
            image.draft(None, (max(1, width // divisor), max(1, height // divisor)))
        else:
            limits.check_pixels(width, height)
            limits.check_scans(width, height, container.scans)
        image.load()
        turn = container.orientation
        if container.kind in EXIF_IN_INFO:
            turn = orientation(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
        pixels = np.asarray(rgb(image))
    if side is not None:
        pixels = _shrunk(pixels, side(width, height))
    return _picture(pixels, width, height, turn)


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
