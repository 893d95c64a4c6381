"""An image file, cut down to what its decoder needs."""

from typing import NamedTuple

from analysis.exif import UPRIGHT


class Container(NamedTuple):
    """The format, the bytes for the decoder, and what they will cost it.

    orientation: of EXIF, 1 to 8; size: width and height in pixels that a decoder allocates when
    it opens the file, or None if it allocates none; scans: of JPEG data, counted over the whole
    image; streamed: whether a JPEG decoder needs only a few rows at a time.
    """

    kind: str
    data: bytes
    orientation: int = UPRIGHT
    size: tuple[int, int] | None = None
    scans: int = 1
    streamed: bool = False
