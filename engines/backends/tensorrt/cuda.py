"""pycuda and the library of the CUDA driver.

Only this module, `device` and `cuda_stream` call them. pycuda has functions for memory, copies and
streams. The driver's library has stream capture and the reset of the primary context.
"""

import contextlib
import ctypes
import importlib.util
from collections.abc import Iterator
from typing import Any, NamedTuple

from engines.errors import GpuMissingError, RunnerError
from engines.gpus import Gpu, restrict

# A process uses one GPU, the only one that CUDA sees there.
DEVICE = 0


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

    def reset(self) -> None:
        """Destroy the GPU's primary context for all its users: nothing else clears a sticky error.

        The next batch of every other runner of this process fails, and the runner must be opened
        again.
        """
        self.library.cuDevicePrimaryCtxReset_v2(DEVICE)

    @contextlib.contextmanager
    def typed(self) -> Iterator[None]:
        """Turn pycuda's errors into ours.

        Raises:
            RunnerError: a call of the block failed on the device.
        """
        try:
            yield
        except self.driver.Error as error:
            raise RunnerError(f"the GPU failed: {error}") from error

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver's library.

        Raises:
            RunnerError: it returned an error.
        """
        code = getattr(self.library, name)(*arguments)
        if code:
            raise RunnerError(f"the GPU failed: {name} returned {code}")


def check_installed() -> None:
    """Check that pycuda is here, without starting CUDA.

    Raises:
        GpuMissingError: it is not.
    """
    if importlib.util.find_spec("pycuda") is None:
        raise GpuMissingError("no GPU can be used: pycuda is not installed; `pip install '.[gpu]'`")
