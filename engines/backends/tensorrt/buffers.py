"""The memory of a stream: one block on the GPU, and pinned memory on the host."""

import contextlib
from collections.abc import Sequence
from typing import Any

from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.memory import MemoryLayout
from engines.backends.tensorrt.tensors import Tensor
from engines.memory import mib
from engines.types import Array


class Buffers:
    """Memory for the largest batch of a layout; smaller batches use the beginning of each buffer.

    The addresses never change, since captured graphs contain them. The host's memory is pinned,
    because a copy from or to pageable memory would wait for the GPU.
    """

    def __init__(self, device: Device, tensors: Sequence[Tensor], layout: MemoryLayout) -> None:
        self._layout = layout
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self._block = self._allocated(device.cuda, layout.total)
            self.host = {
                tensor.name: self._pinned(device.cuda, tensor, layout.sizes[-1])
                for tensor in tensors
            }
            undo.pop_all()

    @property
    def scratch(self) -> int:
        """Address of the scratch memory of the layers."""
        return self._block

    def address(self, name: str) -> int:
        """Address of a tensor on the GPU."""
        return self._block + self._layout.offsets[name]

    def close(self) -> None:
        """Free everything; errors are ignored, since the context may be gone."""
        self._stack.close()

    def _allocated(self, cuda: Cuda, size: int) -> int:
        with cuda.typed(f"GPU memory: {mib(size)} MiB are needed"):
            block = cuda.driver.mem_alloc(size)
        self._stack.callback(_free, cuda, block)
        return int(block)

    def _pinned(self, cuda: Cuda, tensor: Tensor, rows: int) -> Array:
        needed = f"pinned memory of the host: {mib(tensor.bytes(rows))} MiB are needed"
        with cuda.typed(needed):
            array: Array = cuda.driver.pagelocked_empty(tensor.shape(rows), tensor.dtype)
        # pycuda can free pinned memory only while its context exists.
        self._stack.callback(_free, cuda, array.base)
        array[...] = 0
        return array


def _free(cuda: Cuda, allocation: Any) -> None:
    with contextlib.suppress(cuda.driver.Error):
        allocation.free()
