"""The JPEG decoder of the device process, as a worker uses it."""

import numpy as np

from analysis.timing import Batch
from analysis.workers.remote import JPEGS, DeviceClient
from engines.errors import RunnerError, RunnerLostError
from engines.types import U8


class RemoteJpegDecoder:
    """See `analysis.jpegs.types.JpegDecoder`: bytes go and pixels come in shared memory."""

    def __init__(self, device: DeviceClient) -> None:
        self._device = device
        self._batches: list[Batch] = []

    def decode(self, data: bytes, width: int, height: int) -> U8 | None:
        """See `JpegDecoder.decode`."""
        rows = np.frombuffer(data, np.uint8)[None]
        self._device.send(JPEGS, rows, size=width * height)
        try:
            outputs, batch = self._device.receive_views(JPEGS)
        except RunnerLostError:
            raise
        except RunnerError:  # the device declined
            return None
        if batch.rows:
            self._batches.append(batch)
        return outputs["pixels"]

    def take_batches(self) -> list[Batch]:
        """See `JpegDecoder.take_batches`."""
        batches, self._batches = self._batches, []
        return batches
