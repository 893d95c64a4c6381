"""Bytes to pixels, under limits that hold before anything is decoded."""

import io
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service import containers
from service.containers import Container
from service.errors import CorruptImage, TooLarge
from service.exif import orientation

U8 = NDArray[np.uint8]
# Our own limit on pixels is checked by `_refuse_large`; Pillow's would only warn.
Image.MAX_IMAGE_PIXELS = None
# A progressive JPEG of the largest size may have this many scans; smaller ones as many more.
SCANS_OF_THE_LARGEST = 16
# What is larger is kept shrunk while it waits for the networks, and decoded again if need be.
KEPT_PIXELS = 4_000_000
# What each EXIF orientation but the first asks for.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_ITS_SIDE = (5, 6, 7, 8)


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
    or an eighth (libjpeg scales the cosine transform), so that the longer side is still `side`;
    other images beyond `KEPT_PIXELS` are shrunk likewise once they are decoded.

    Raises:
        TooLarge: more bytes, pixels or parts than `limits` allow; nothing was decoded.
        UnsupportedMediaType: the first bytes are those of no format that we read.
        CorruptImage: the format is right, the rest is not.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge(f"the image has {len(data)} bytes; the limit is {limits.max_bytes}")
    container = containers.read(data)
    if container.kind == "WEBP":  # Pillow allocates the canvas when it opens one
        _refuse_large(*containers.webp_size(data), limits)
    try:
        with Image.open(io.BytesIO(container.data), formats=[container.kind]) as image:
            _refuse_large(*image.size, limits)
            _refuse_long(image.size, container.scans, limits)
            return _decoded(image, container, side)
    except TooLarge:
        raise
    except Exception as error:  # decoders raise what they like; none of it is ours
        raise CorruptImage(
            f"the {container.kind} image cannot be decoded; send it whole"
        ) from error


def _refuse_large(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"the image has {width}x{height} pixels; the limit is {limits.max_pixels} in all"
        )


def _refuse_long(size: tuple[int, int], scans: int, limits: ImageLimits) -> None:
    """Each scan of a progressive JPEG passes over all of its pixels, however few bytes it has."""
    most = SCANS_OF_THE_LARGEST * limits.max_pixels // (size[0] * size[1])
    if scans > most:
        raise TooLarge(f"the image has {scans} scans; at its size {most} are allowed; save it anew")


def _decoded(image: Image.Image, container: Container, side: int | None) -> Picture:
    width, height = image.size
    if side is not None:
        share = side / max(image.size)
        image.draft(image.mode, (max(1, int(width * share)), max(1, int(height * share))))
    image.load()
    held = container.orientation
    if container.kind == "WEBP":
        held = orientation(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
    rgb = _rgb(image)
    pixels = np.asarray(rgb.transpose(UPRIGHT[held]) if held in UPRIGHT else rgb)
    if held in ON_ITS_SIDE:
        width, height = height, width
    return Picture(pixels if side is None else _shrunk(pixels, side), width, height)


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
