"""Protocols of JPEG decoders: for one image in a worker, and for batches on a GPU."""

from collections.abc import Sequence
from typing import Protocol

from analysis.timing import Batch
from engines.types import U8


class JpegDecoder(Protocol):
    """A decoder that a worker may use in place of libjpeg-turbo."""

    def decode(self, data: bytes, width: int, height: int) -> U8 | None:
        """Decode a JPEG of this size, of the form that `analysis.jpegs.plain` describes.

        Return RGB pixels (h, w, 3) uint8 as they are stored, before EXIF turns them; the memory is
        valid until the next call. Return None to decline: libjpeg-turbo then decodes the image.

        Raises:
            RunnerLostError: the process of the decoder ended.
        """
        ...

    def take_batches(self) -> list[Batch]:
        """Return the batches of its images since the last call."""
        ...


class BatchDecoder(Protocol):
    """A library that decodes several JPEGs at once, used by one thread."""

    def decode(self, images: Sequence[U8]) -> list[U8 | None]:
        """Decode JPEGs (n,) uint8; see `JpegDecoder.decode` for each of as many results.

        It may raise any exception; libjpeg-turbo then decodes the images. GpuMemoryError and
        MemoryError mean that it finds no memory.
        """
        ...
