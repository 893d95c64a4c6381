"""A JPEG decoder that may fail. It then declines, and is opened again if it decodes nothing."""

import logging
import time
from collections.abc import Callable, Sequence

from analysis.jpegs.select import works
from analysis.jpegs.types import BatchDecoder
from engines.errors import GpuMemoryError
from engines.types import U8

log = logging.getLogger("emotions.device")
# Seconds until the next attempt to open the decoder. Another thread may have to restore the GPU
# first, or to free memory.
PAUSE_S = 5.0


class ReopeningDecoder:
    """Decodes with a decoder of `opened`, and never raises an exception."""

    def __init__(
        self, opened: Callable[[], BatchDecoder], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open the decoder, or wait for memory.

        Raises:
            Exception: `opened` failed, and not because memory is short.
        """
        self._opened, self._clock = opened, clock
        self._decoder: BatchDecoder | None = None
        self._next_attempt = 0.0
        self._failing = False
        try:
            self._decoder = opened()
        except (GpuMemoryError, MemoryError) as error:
            self._wait(error)

    def decode(self, images: Sequence[U8]) -> list[U8 | None]:
        """See `BatchDecoder.decode`."""
        decoder = self._decoder or self._reopen()
        if decoder is None:
            return [None] * len(images)
        failed = False
        try:
            decoded = _complete(decoder.decode(images), len(images))
        except Exception as error:
            decoded, failed = [None] * len(images), True
            if not self._failing:  # a line per batch would fill the log
                log.warning("the JPEG decoder failed, workers decode the images: %s", error)
        self._failing = failed
        if all(pixels is None for pixels in decoded) and not works(decoder):
            self._close()
        return decoded

    def _close(self) -> None:
        self._decoder, self._next_attempt = None, self._clock() + PAUSE_S
        log.warning("the GPU decodes no JPEGs any more; workers decode them meanwhile")

    def _reopen(self) -> BatchDecoder | None:
        if self._clock() < self._next_attempt:
            return None
        try:
            self._decoder = self._opened()
        except Exception as error:
            self._wait(error)
            return None
        log.warning("the GPU decodes JPEGs now")
        return self._decoder

    def _wait(self, error: Exception) -> None:
        self._next_attempt = self._clock() + PAUSE_S
        log.warning("the JPEG decoder cannot be opened; workers decode meanwhile: %s", error)


def _complete(decoded: list[U8 | None], images: int) -> list[U8 | None]:
    if len(decoded) != images:
        raise ValueError(f"{len(decoded)} results for {images} images")
    return decoded
