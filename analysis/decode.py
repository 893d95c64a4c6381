"""Decodes images to pixels; limits are checked before anything is decoded."""

import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from analysis import plugins, sanitize
from analysis.colours import rgb
from analysis.containers.container import Container
from analysis.containers.tiff import UNUSUAL
from analysis.errors import CorruptImageError, ServiceError
from analysis.exif import ON_ITS_SIDE, orientation, turned_upright
from analysis.formats import refusal
from analysis.jpegs import turbo
from analysis.jpegs.turbo import Stored
from analysis.jpegs.types import JpegDecoder
from analysis.limits import ImageLimits, Side
from analysis.types import Source
from engines.errors import RunnerLostError
from engines.types import U8

# `ImageLimits` checks the number of pixels; Pillow's own limit would only warn.
Image.MAX_IMAGE_PIXELS = None
# Pillow's images with more pixels are shrunk, to save memory while networks run. An image with a
# small face is decoded again.
KEPT_PIXELS = 4_000_000
# Pillow reports the orientation of these as EXIF data; that of AVIF comes from the container.
EXIF_IN_INFO = ("WEBP", "AVIF")


class Picture(NamedTuple):
    """An upright image: RGB pixels (h, w, 3) uint8, perhaps fewer than its `width` x `height`."""

    pixels: U8
    width: int
    height: int

    @property
    def reduced(self) -> bool:
        """Whether the pixels are fewer than those of the image."""
        return self.pixels.shape[:2] != (self.height, self.width)


def open_source(
    source: Source,
    limits: ImageLimits,
    side: Side | None = None,
    decoder: JpegDecoder | None = None,
) -> Picture:
    """Decode an encoded image with `open_picture`; return pixels unchanged."""
    if isinstance(source, bytes):
        return open_picture(source, limits, side, decoder)
    return Picture(source, source.shape[1], source.shape[0])


def decode(data: bytes, limits: ImageLimits) -> U8:
    """Decode an image to upright RGB, uint8 (height, width, 3); see `open_picture`."""
    return open_picture(data, limits).pixels


def open_picture(
    data: bytes, limits: ImageLimits, side: Side | None = None, decoder: JpegDecoder | None = None
) -> Picture:
    """Decode an image of any format of `analysis.formats` to upright RGB.

    The orientation of EXIF or of the container is applied; samples of more than 8 bits keep their
    high bits; other colours are converted; transparent pixels are blended with white, as in a
    browser; only the first frame, page or picture is decoded.

    A JPEG is decoded at a half, a quarter or an eighth of its size if its decoded pixels would
    otherwise exceed `max_pixels`, or if its longer side keeps at least `side` pixels. With `side`,
    any other image of more than `KEPT_PIXELS` is decoded in full, and then divided by a whole
    number so that its longer side keeps at least that many pixels. `decoder` decodes the JPEGs that
    `analysis.jpegs.offload` selects.

    Raises:
        TooLargeError: more bytes, pixels or parts than allowed; nothing was decoded.
        UnsupportedMediaTypeError: the format, or the form of its samples, is not supported.
        CorruptImageError: the format is supported, but the image is damaged.
        RunnerLostError: the process of `decoder` ended.
    """
    limits.check_bytes(data)
    container = sanitize.read(data)
    try:
        stored = (
            turbo.decode(container, limits, side, decoder) if container.kind == "JPEG" else None
        )
        return (
            _upright(stored, container.orientation) if stored else _pillow(container, limits, side)
        )
    except (ServiceError, RunnerLostError, KeyboardInterrupt, SystemExit):
        raise
    except UnidentifiedImageError as error:
        if container.kind == "TIFF":  # its directory is sound
            raise refusal(UNUSUAL) from error
        raise _corrupt(container.kind) from error
    except BaseException as error:  # decoders raise many kinds; a panic in Rust is not an Exception
        raise _corrupt(container.kind) from error


def _corrupt(kind: str) -> CorruptImageError:
    return CorruptImageError(f"the {kind} image cannot be decoded; send it whole")


def _pillow(container: Container, limits: ImageLimits, side: Side | None) -> Picture:
    if container.size is not None:
        limits.check_pixels(*container.size)
    formats = [plugins.load(container.kind)]
    with Image.open(io.BytesIO(container.data), formats=formats) as image:
        width, height = image.size
        if container.kind == "JPEG":
            divisor = limits.divisor(container, width, height, side)
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
    return _upright(Stored(pixels, width, height), turn)


def _upright(stored: Stored, turn: int) -> Picture:
    """Turn a stored image by its orientation, 1 to 8."""
    pixels, width, height = stored
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
