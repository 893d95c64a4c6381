"""What every process of the pool does first: end with the service, log through it, show life."""

import contextlib
import ctypes
import faulthandler
import logging
import mmap
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analysis.workers.channel import Channel
from analysis.workers.messages import Line, encode, plain

PR_SET_PDEATHSIG = 1
# If memory runs out, a worker is to go before the service, which can replace it.
OOM_SCORE = "500"
BEATS = 64
# mallopt(3): the heap keeps freed memory, and images of up to so many bytes are on it.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_BYTES = 256 << 20, 32 << 20


class Beats:
    """Times at which the threads of a process began their present steps, in shared memory.

    Seconds on `time.monotonic`'s clock, which all processes share; 0 where a thread waits for work.
    """

    def __init__(self, descriptor: int) -> None:
        self._times = np.frombuffer(mmap.mmap(descriptor, BEATS * 8), np.float64)

    def beat(self, thread: int = 0) -> None:
        """Begin a step."""
        self._times[thread] = time.monotonic()

    def rest(self, thread: int = 0) -> None:
        """Wait for work."""
        self._times[thread] = 0.0

    def oldest(self) -> float:
        """When the step that has taken longest began; infinity where all threads wait."""
        times = self._times.copy()  # the process goes on writing
        return float(np.where(times > 0, times, np.inf).min())


class _Forwarder(logging.Handler):
    """Sends log records to the service, whose log has one form and one place."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, its traceback as text without the values of variables."""
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info))
            line = Line(record.name, record.levelno, plain(text))
            self._channel.note(encode(line))
        except Exception:  # as `logging.Handler` asks: a log line must not break its caller
            self.handleError(record)


def run(serve: Callable[[Channel, Beats], None]) -> None:
    """Run a process whose last two arguments are descriptors: its channel, and its beats."""
    faulthandler.enable()
    # Ctrl-C is for the service, which answers what it accepted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    _keep_memory()
    channel = Channel(socket.socket(fileno=int(sys.argv[-2])))
    logging.basicConfig(handlers=[_Forwarder(channel)], level=logging.INFO)
    with contextlib.suppress(EOFError, ConnectionError):
        serve(channel, Beats(int(sys.argv[-1])))


def _keep_memory() -> None:
    """Let glibc reuse the memory of images: fresh pages cost as much as half of decoding."""
    with contextlib.suppress(AttributeError, OSError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
