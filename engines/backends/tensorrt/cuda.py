"""pycuda and the library of the CUDA driver.

pycuda has functions for memory, copies and streams. The driver's library has stream capture, and
flags and reset of the primary context. pycuda's `MemoryError` is what it raises for CUDA's error 2.
"""

import contextlib
import ctypes
import importlib.util
from collections.abc import Iterator
from typing import Any, NamedTuple

from engines.errors import GpuMemoryError, GpuMissingError, RunnerError
from engines.gpus import Gpu, restrict
from engines.memory import ADVICE

# A process uses one GPU, the only one that CUDA sees there.
DEVICE = 0
OUT_OF_MEMORY = 2


class Cuda(NamedTuple):
    """The libraries: `pycuda.driver`, and the CUDA driver through ctypes. Neither has types."""

    driver: Any
    library: Any

    @classmethod
    def load(cls, gpu: Gpu) -> "Cuda":
        """Start the driver in this process, with `gpu` as the only device.

        Raises:
            GpuMissingError: pycuda or the driver is not installed, or does not start.
        """
        check_installed()
        restrict(gpu)
        try:
            from pycuda import driver  # noqa: PLC0415  (optional)

            cuda = cls(driver, ctypes.CDLL("libcuda.so.1"))
            driver.init()
        except OSError as error:
            raise GpuMissingError("no GPU can be used: there is no NVIDIA driver") from error
        except Exception as error:  # pycuda's errors cannot be named where it is not installed
            raise GpuMissingError(f"the CUDA driver does not start: {error}") from error
        return cuda

    @contextlib.contextmanager
    def typed(self, needed: str = "GPU memory") -> Iterator[None]:
        """Turn pycuda's errors into ours; `needed` is what there may be too little of.

        Raises:
            GpuMemoryError: a call of the block found no free memory.
            RunnerError: a call of the block failed on the device.
        """
        try:
            yield
        except self.driver.MemoryError as error:
            raise GpuMemoryError(f"too little {needed} ({error}); {ADVICE}") from error
        except self.driver.Error as error:
            raise RunnerError(f"the GPU failed: {error}") from error

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver's library.

        Raises:
            GpuMemoryError: it found no free memory.
            RunnerError: it returned another error.
        """
        code = getattr(self.library, name)(*arguments)
        if code == OUT_OF_MEMORY:
            raise GpuMemoryError(f"too little GPU memory ({name}); {ADVICE}")
        if code:
            raise RunnerError(f"the GPU failed: {name} returned {self._error(code)}")

    def _error(self, code: int) -> str:
        """CUDA's name of an error, or its number if it has none."""
        name = ctypes.c_char_p()
        self.library.cuGetErrorName(code, ctypes.byref(name))
        return name.value.decode() if name.value else str(code)


def check_installed() -> None:
    """Check that pycuda is here, without starting CUDA.

    Raises:
        GpuMissingError: it is not.
    """
    if importlib.util.find_spec("pycuda") is None:
        raise GpuMissingError("no GPU can be used: pycuda is not installed; `pip install '.[gpu]'`")
