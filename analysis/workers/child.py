"""Common start of every process of the pool: it ends with the service, and logs through it."""

import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from analysis.workers.channel import Channel
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.messages import LogLine, encode, sendable
from engines.errors import EngineError

log = logging.getLogger("emotions.worker")
PR_SET_PDEATHSIG = 1
# If memory runs out, Linux should kill a worker, which can be replaced, and not the service.
OOM_SCORE = "500"
# Parameters of glibc's mallopt(3), and their values: free bytes that the heap keeps, and the size
# of the largest block in the heap.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_BYTES = 256 << 20, 32 << 20


class _LogForwarder(logging.Handler):
    """Sends log records to the service, which writes them in its own format."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record with its traceback, without the values of variables."""
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info))
            line = LogLine(record.name, record.levelno, sendable(text))
            self._channel.send_note(encode(line))
        except Exception:  # as `logging.Handler` requires: logging must not break its caller
            self.handleError(record)


def run(serve: Callable[[Channel, Heartbeats], None]) -> None:
    """Run a process. Its last two arguments are descriptors: of its channel and its heartbeats.

    It ends at once, without waiting for a thread that hangs, and only then closes the channel: the
    service sees the end of the channel when the exit status is certain.
    """
    faulthandler.enable()
    # Ctrl-C is for the service, which answers the requests that it accepted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    _keep_memory()
    channel = Channel(socket.socket(fileno=int(sys.argv[-2])))
    logging.basicConfig(handlers=[_LogForwarder(channel)], level=logging.INFO)
    os._exit(_status(serve, channel))


def _status(serve: Callable[[Channel, Heartbeats], None], channel: Channel) -> int:
    """Return the exit status of a process. The log has the reason for a failure."""
    try:
        serve(channel, Heartbeats(int(sys.argv[-1])))
    except (EOFError, ConnectionError):
        return 0
    except EngineError as error:
        log.error("the networks cannot be opened: %s", error)
    except BaseException:
        log.exception("the process failed")
    else:
        return 0
    return 1


def _keep_memory() -> None:
    """Let glibc reuse the memory of images: fresh pages cost up to half of the decoding time."""
    with contextlib.suppress(AttributeError, OSError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
