"""Decodes plain JPEGs: on a GPU where there is one, else with libjpeg-turbo.

Pillow decodes the same pixels as libjpeg-turbo, but copies them two more times.
"""

from typing import NamedTuple

import simplejpeg

from analysis.containers.container import Container
from analysis.jpegs import offload
from analysis.jpegs.types import JpegDecoder
from analysis.limits import ImageLimits, Side
from engines.types import U8

PLAIN_COLOURS = ("YCbCr", "Gray")


class Stored(NamedTuple):
    """RGB pixels (h, w, 3) as a file stores them, and the size of its image; EXIF may turn both."""

    pixels: U8
    width: int
    height: int


def decode(
    jpeg: Container, limits: ImageLimits, side: Side | None, decoder: JpegDecoder | None
) -> Stored | None:
    """Decode a JPEG; return None to leave it to Pillow.

    Raises:
        TooLargeError: more pixels or scans than allowed; nothing was decoded.
        RunnerLostError: the process of the GPU's decoder ended.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(jpeg.data)
        if colours not in PLAIN_COLOURS:
            return None
        divisor = limits.divisor(jpeg, width, height, side)
        pixels = None
        if decoder is not None and width * height <= limits.max_pixels:
            pixels = offload.decode(decoder, jpeg.data, width, height, divisor)
        if pixels is None:
            longer = "min_width" if width >= height else "min_height"
            least = {} if divisor == 1 else {longer: -(-max(width, height) // divisor)}
            pixels = simplejpeg.decode_jpeg(jpeg.data, "RGB", **least)
    except ValueError:  # Pillow is more tolerant
        return None
    return Stored(pixels, width, height)
