"""Recovery from errors of the GPU: resets a context that accepts no more work."""

import logging
import threading
from collections.abc import Callable
from contextlib import closing

from engines.backends.tensorrt.cuda import DEVICE, Cuda
from engines.backends.tensorrt.device import Device
from engines.errors import GpuMemoryError, RunnerError

log = logging.getLogger("emotions.tensorrt")


class Recovery:
    """Opens runners on a GPU of this process; all threads share it.

    resets: how often the context was reset.
    """

    def __init__(self) -> None:
        self.resets = 0
        self._lock = threading.Lock()

    def run(self, cuda: Cuda, load: Callable[[], None]) -> None:
        """Call `load`; if it fails because the GPU's context is broken, reset that and call again.

        Raises:
            RunnerError: it failed for another reason, or failed again.
        """
        before = self.resets
        try:
            load()
            return
        except RunnerError:
            if not self._reset_since(before, cuda):
                raise
        load()

    def _reset_since(self, before: int, cuda: Cuda) -> bool:
        """Return whether the context was reset since `before`, now or by another thread."""
        with self._lock:
            if self.resets == before and not healthy(cuda):
                log.exception("runner.reset: the GPU's context is destroyed and created again")
                reset(cuda)
                self.resets += 1
            return self.resets != before


def healthy(cuda: Cuda) -> bool:
    """Whether the GPU's primary context works: after an error in a kernel it does not."""
    try:
        with closing(Device(cuda)) as device:
            device.probe()
    except GpuMemoryError:  # a broken context reports what broke it
        return True
    except RunnerError:
        return False
    return True


def reset(cuda: Cuda) -> None:
    """Destroy the GPU's primary context for all its users: nothing else clears a sticky error.

    The next batch of every other runner of this process fails, and the runner must be opened again.
    """
    cuda.library.cuDevicePrimaryCtxReset_v2(DEVICE)
