"""CUDA streams."""

from typing import Any

from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.device import Device
from engines.types import Array

# Without this flag a stream waits for the default stream, which other libraries may use.
NON_BLOCKING = 1


class CudaStream:
    """A queue of work on the GPU; it runs in order, and concurrently with other streams.

    At most one piece of a batch is queued at a time, so waiting for the stream is waiting for the
    piece, and no event is needed.
    """

    def __init__(self, device: Device) -> None:
        self._cuda: Cuda = device.cuda
        with self._cuda.typed():
            self._stream: Any = self._cuda.driver.Stream(NON_BLOCKING)
        self.handle = int(self._stream.handle)

    def upload(self, address: int, source: Array) -> None:
        """Queue a copy from pinned memory; do not change `source` before `synchronize`."""
        with self._cuda.typed():
            self._cuda.driver.memcpy_htod_async(address, source, self._stream)

    def download(self, target: Array, address: int) -> None:
        """Queue a copy into pinned memory; `target` is filled after `synchronize`."""
        with self._cuda.typed():
            self._cuda.driver.memcpy_dtoh_async(target, address, self._stream)

    def synchronize(self) -> None:
        """Wait for everything queued; other Python threads run meanwhile."""
        with self._cuda.typed():
            self._stream.synchronize()

    def close(self) -> None:
        """Destroy it."""
        del self._stream
