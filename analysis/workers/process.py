"""The service's side of a process of the pool: start it, watch it, replace it when it ends."""

import logging
import math
import signal
import time
from abc import ABC, abstractmethod
from socket import socket

from analysis.workers import messages
from analysis.workers.channel import Message
from analysis.workers.launch import Child, launch
from analysis.workers.messages import Answer, Arrays, LogLine, Ready, Setup, encode
from analysis.workers.types import Loop
from engines.gpus import Gpu

log = logging.getLogger("emotions.worker")
REASONS = DIED, HUNG = "died", "hung"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0
# A pause of at least this many seconds is logged with advice.
ADVICE_FROM_S = 1.0


class Process(ABC):
    """One process at a time, run by `python -m MODULE`."""

    def __init__(
        self,
        module: str,
        setup: Setup,
        listener: socket | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        self._module, self._setup, self._listener, self._gpu = module, setup, listener, gpu
        self._loop: Loop
        self._child: Child | None = None
        self._hung = self._opened = self._stopping = False
        self._failed_starts = 0

    @property
    def alive(self) -> bool:
        """Whether a process runs."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """The id of the process, or None if no process runs."""
        return self._child.process.pid if self._child is not None else None

    @abstractmethod
    def ready(self) -> None:
        """Called when its networks are open."""

    @abstractmethod
    def ended(self, reason: str) -> None:
        """Called when it died or hung (see `REASONS`); unless stopped, the next one starts."""

    def answered(self, answer: Answer, message: Message) -> None:  # noqa: B027  (devices do not)
        """Called when it has analyzed the images that it was sent."""

    def begin(self, loop: Loop) -> None:
        """Start a process; `ready` is called when its networks are open."""
        self._loop = loop
        self._begin()

    def _begin(self) -> None:
        if self._stopping:
            return
        self._hung = self._opened = False
        try:
            self._child = launch(self._module, self._listener, self._gpu)
        except OSError as error:
            log.error("a process cannot be started: %s", error.strerror)
            self._start_later()
            return
        self._loop.add_reader(self._child.channel.fileno(), self._readable)
        self.post(encode(self._setup), {})

    def post(self, note: bytes, arrays: Arrays) -> bool:
        """Send a message; return False if the process has ended, which `ended` also reports."""
        if self._child is None:
            return False
        try:
            self._child.channel.send(note, arrays)
        except OSError:
            self.kill()
            return False
        return True

    def check(self, limit_s: float, busy_since: float | None) -> None:
        """Kill the process if one of its steps takes longer than `limit_s`; see `Heartbeats`.

        `busy_since` is when it was sent images, or None if it has answered.
        """
        if self._child is None:
            return
        began = self._child.heartbeats.oldest()
        if busy_since is not None and began == math.inf:
            began = busy_since
        if time.monotonic() - began > limit_s:
            self._hung = True
            self.kill()

    def stop(self) -> None:
        """Request the end of the process, and do not replace it."""
        self._stopping = True
        if self._listener is not None:
            self._listener.close()
        if self._child is not None:
            self._child.channel.hang_up()

    def kill(self) -> None:
        """End the process at once."""
        if self._child is not None:
            self._child.process.kill()

    def _readable(self) -> None:
        if self._child is None:
            return
        try:
            message = self._child.channel.receive(0)
        except BlockingIOError:
            return
        except (EOFError, OSError):
            self._end(self._child)
            return
        match messages.from_process(message.note):
            case LogLine(logger, level, text):
                logging.getLogger(logger).log(level, "%s", text)
            case Ready():
                self._opened = True
                self.ready()
            case answer:
                self.answered(answer, message)

    def _end(self, child: Child) -> None:
        """Reap the process, report its end, and start the next."""
        self._child = None
        self._loop.remove_reader(child.channel.fileno())
        child.channel.close()
        # One that has ended keeps its exit status; another one has lost its channel.
        child.process.kill()
        status = child.process.wait()
        if self._stopping:
            self.ended(DIED)
            return
        self._failed_starts = 0 if self._opened else self._failed_starts + 1
        log.error(
            "%s ended (%s) and is started again%s",
            self._name(),
            "it hung" if self._hung else _cause(status),
            self._advice(pause(self._failed_starts)),
        )
        self.ended(HUNG if self._hung else DIED)
        self._start_later()

    def _name(self) -> str:
        kind = self._module.rpartition(".")[2]
        return kind if self._gpu is None else f"{kind} of {self._gpu.name} ({self._gpu.uuid})"

    def _advice(self, seconds: float) -> str:
        if seconds < ADVICE_FROM_S:
            return ""
        return (
            f" in {seconds:g} s; it does not stay up: see the log lines above, test its plans with "
            f"`emotions verify`, or {self._way_out()}"
        )

    def _way_out(self) -> str:
        if self._gpu is not None:
            return "leave out its GPU with CUDA_VISIBLE_DEVICES"
        if self._listener is not None:
            return "run them in the workers with EMOTIONS_DEVICE_PROCESS=false"
        return "run them in the service's own process with EMOTIONS_ISOLATE=false"

    def _start_later(self) -> None:
        self._loop.call_later(pause(self._failed_starts), self._begin)


def pause(failed_starts: int) -> float:
    """Return the seconds until the next start, after this many processes that did not open."""
    if not failed_starts:
        return 0.0
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failed_starts - 1, 16)))


def _cause(status: int) -> str:
    return signal.strsignal(-status) or "" if status < 0 else f"exit status {status}"
