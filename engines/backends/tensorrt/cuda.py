"""pycuda, the library of the CUDA driver, and the properties of the machine's GPUs.

Only this module, `device` and `cuda_stream` call them. pycuda has functions for memory, copies and
streams. The driver's library has stream capture and the reset of the primary context.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

from engines.errors import GpuMissingError, RunnerError


class Cuda(NamedTuple):
    """The libraries: `pycuda.driver`, and the CUDA driver through ctypes. Neither has types."""

    driver: Any
    library: Any

    @classmethod
    def load(cls) -> "Cuda":
        """Load both and start the driver.

        Raises:
            GpuMissingError: pycuda or the driver is not installed, or there is no GPU.
        """
        try:
            from pycuda import driver  # noqa: PLC0415  (optional)

            cuda = cls(driver, ctypes.CDLL("libcuda.so.1"))
            driver.init()
        except ImportError as error:
            raise GpuMissingError("no GPU can be used: pycuda is not installed") from error
        except OSError as error:
            raise GpuMissingError("no GPU can be used: there is no NVIDIA driver") from error
        except Exception as error:  # pycuda's errors cannot be named where it is not installed
            raise GpuMissingError(f"the CUDA driver does not start: {error}") from error
        if not driver.Device.count():
            raise GpuMissingError("the CUDA driver sees no GPU")
        return cuda

    @property
    def devices(self) -> int:
        """Number of GPUs."""
        return int(self.driver.Device.count())

    def name(self, index: int) -> str:
        """The GPU's name, e.g. `NVIDIA L4`."""
        return str(self.driver.Device(index).name())

    def capability(self, index: int) -> str:
        """The GPU's compute capability, e.g. `8.9`."""
        major, minor = self.driver.Device(index).compute_capability()
        return f"{major}.{minor}"

    def reset(self, index: int) -> None:
        """Destroy the GPU's primary context for all its users: nothing else clears a sticky error.

        The next batch of every other runner on that GPU fails, and the runner must be opened again.
        """
        self.library.cuDevicePrimaryCtxReset_v2(index)

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
