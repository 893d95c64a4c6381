"""JPEG decoders for tests: one records its calls, and one fails on command.

The latter is nvImageCodec on the CPU: `tests.analysis.jpegs.decoders:Faulty:FOLDER`. The mean
value of an image decides what happens to its batch, as in `tests.engines.faulty`, whose networks do
not fail on these values.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import simplejpeg

from analysis.jpegs.nvimagecodec import NvImageCodec
from analysis.timing import Batch
from engines.errors import GpuMemoryError, GpuMissingError
from engines.types import U8
from tests.engines.faulty import BATCHES, GO, write

ON_CPU = "analysis.jpegs.nvimagecodec:NvImageCodec:cpu"
RAISES, DIES, HANGS, WAITS = 241, 242, 243, 244
# Files in the folder; the decoder then cannot be opened, or has no memory.
MISSING, FULL = "no-decoder", "no-memory-for-decoder"
Answer = Callable[[U8], U8 | None]


class Recording:
    """Decodes with libjpeg-turbo, passes the pixels through `answer`, and counts its calls."""

    def __init__(self, answer: Answer = lambda pixels: pixels) -> None:
        self.calls, self._answer = 0, answer
        self._memory = np.zeros(0, np.uint8)

    def decode(self, data: bytes, width: int, height: int) -> U8 | None:
        self.calls += 1
        self._memory.fill(0)  # pixels are valid until the next call
        pixels = simplejpeg.decode_jpeg(data, "RGB")
        assert pixels.shape == (height, width, 3)
        self._memory = pixels
        return self._answer(pixels)

    def take_batches(self) -> list[Batch]:
        return [Batch("jpegs", self.calls, 0.0, 0.0, 0.0)]


class Faulty:
    def __init__(self, folder: str) -> None:
        self._decoder, self._folder = NvImageCodec("cpu"), Path(folder)
        if (self._folder / MISSING).exists():
            raise GpuMissingError("no decoder today")
        if (self._folder / FULL).exists():
            raise GpuMemoryError("no memory today")

    def decode(self, images: Sequence[U8]) -> list[U8 | None]:
        write(self._folder / BATCHES, f"jpegs {len(images)}")
        decoded = self._decoder.decode(images)
        values = [round(float(each.mean())) for each in decoded if each is not None]
        if RAISES in values:
            raise MemoryError("the GPU has no memory left")
        if DIES in values:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGS in values:
            time.sleep(1000)
        while WAITS in values and not (self._folder / GO).exists():
            time.sleep(0.001)
        return decoded
