"""Sends plain JPEGs to the decoder of a GPU; libjpeg-turbo decodes each that it declines."""

import logging

import cv2
import numpy as np

from analysis.jpegs.plain import is_plain
from analysis.jpegs.types import JpegDecoder
from engines.errors import RunnerLostError
from engines.types import U8

log = logging.getLogger("emotions.worker")
# With fewer pixels, sending the image costs the host as much CPU time as libjpeg-turbo does. With
# more, the shared memory of each worker would be too large: it has three bytes per pixel.
LEAST_PIXELS, MOST_PIXELS = 256 * 256, 25_000_000
# Noise in the best quality has three. More are not samples, and batches are bounded by pixels.
MOST_BYTES_PER_PIXEL = 4


def decode(decoder: JpegDecoder, data: bytes, width: int, height: int, divisor: int) -> U8 | None:
    """Decode a JPEG of `width` x `height` pixels, and divide its sides by `divisor`, 1, 2, 4 or 8.

    Return None if the image is not for the GPU, or if the GPU did not decode it. Log its errors.

    Raises:
        RunnerLostError: the process of the decoder ended.
    """
    if not _fits(len(data), width * height) or not is_plain(data):
        return None
    try:
        pixels = decoder.decode(data, width, height)
    except RunnerLostError:
        raise
    except Exception:
        log.exception("the JPEG decoder failed; libjpeg-turbo decodes the image")
        return None
    if pixels is None:
        return None
    if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
        log.error("the JPEG decoder returned %s %s", pixels.shape, pixels.dtype)
        return None
    return pixels.copy() if divisor == 1 else _divided(pixels, divisor)


def _fits(size: int, pixels: int) -> bool:
    return LEAST_PIXELS <= pixels <= MOST_PIXELS and size <= MOST_BYTES_PER_PIXEL * pixels


def _divided(pixels: U8, divisor: int) -> U8:
    """Average squares of pixels, as libjpeg-turbo's scaled transform does.

    OpenCV averages squares of 2 x 2 several times faster than larger ones. The last row or column
    of an odd number counts twice, so that all squares stay in place.
    """
    while divisor > 1:
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            border = 0, height % 2, 0, width % 2
            pixels = np.asarray(cv2.copyMakeBorder(pixels, *border, cv2.BORDER_REPLICATE), np.uint8)
        size = (width + 1) // 2, (height + 1) // 2
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        divisor //= 2
    return pixels
