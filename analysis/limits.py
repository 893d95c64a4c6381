"""The most that one image may cost, checked before anything is decoded."""

from collections.abc import Callable
from typing import NamedTuple

from analysis.containers.container import Container
from analysis.errors import TooLargeError

# A JPEG may have this many times `max_pixels`, summed over its scans.
JPEG_WORK = 16
# libjpeg scales its cosine transform; it takes longer for other ratios.
DIVISORS = (1, 2, 4, 8)

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

    def divisor(self, jpeg: Container, width: int, height: int, side: Side | None = None) -> int:
        """Check the size of a JPEG; return the divisor of the sides of its decoded pixels.

        The pixels fit into the limit, and their longer side keeps at least `side` pixels. A decoder
        keeps the coefficients of all pixels unless the JPEG is `streamed`.
        """
        if not jpeg.streamed:
            self.check_pixels(width, height)
        self.check_scans(width, height, jpeg.scans)
        fits = (d for d in DIVISORS if -(-width // d) * -(-height // d) <= self.max_pixels)
        least = next(fits, DIVISORS[-1])
        if side is None:
            return least
        enough = side(width, height)
        return max(least, *(each for each in DIVISORS if max(width, height) >= each * enough), 1)
