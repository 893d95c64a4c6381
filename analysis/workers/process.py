"""The service's side of a process: started, watched, and started anew when it ends."""

import logging
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from socket import socket

from analysis.workers import messages
from analysis.workers.channel import Channel, Message, pair
from analysis.workers.child import BEATS, Beats
from analysis.workers.messages import Answer, Line, Ready, Setup, encode
from analysis.workers.types import Loop

log = logging.getLogger("emotions.worker")
REASONS = DIED, HUNG = "died", "hung"
# Loading a plan may compile it for the GPU, and the first batch may finish that.
OPEN_LIMIT_S = 300.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0
# A longer pause is logged with advice.
ADVICE_FROM_S = 1.0
# Where our packages are, for `python -m` in the process; not where the service was started.
ROOT = Path(__file__).parents[2]
SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Process(ABC):
    """One process at a time, run by `python -m MODULE`."""

    def __init__(self, module: str, setup: Setup, listener: socket | None = None) -> None:
        self._module, self._setup, self._listener = module, setup, listener
        self._loop: Loop
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel
        self._beats: Beats
        self._hung = self._useful = self._stopping = False
        self._useless = 0

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @abstractmethod
    def ready(self) -> None:
        """Its networks are open."""

    @abstractmethod
    def ended(self, reason: str) -> None:
        """It died or hung, one of `REASONS`; the next one starts unless it was stopped."""

    def answered(self, answer: Answer, message: Message) -> None:  # noqa: B027  (devices do not)
        """It has analyzed the images that it was sent."""

    def begin(self, loop: Loop) -> None:
        """Start a process; `ready` is called when its networks are open."""
        self._loop = loop
        self._begin()

    def _begin(self) -> None:
        if self._stopping:
            return
        self._hung = self._useful = False
        try:
            self._spawn()
        except OSError as error:
            log.error("a process cannot be started: %s", error.strerror)
            self._start_later()
            return
        self._loop.add_reader(self._channel.fileno(), self._readable)
        self.post(encode(self._setup), {})

    def post(self, note: bytes, arrays: messages.Arrays) -> bool:
        """Send a message; False if the process has ended, of which `ended` is called anyhow."""
        try:
            self._channel.send(note, arrays)
        except OSError:
            self.kill()
            return False
        return True

    def check(self, limit_s: float, busy_since: float | None) -> None:
        """End the process if one of its steps takes longer than `limit_s`; see `child.Beats`.

        `busy_since` is when it was sent images, if it has not answered yet.
        """
        if not self.alive:
            return
        began = self._beats.oldest()
        if busy_since is not None and began == float("inf"):
            began = busy_since
        limit = limit_s if self._useful else max(limit_s, OPEN_LIMIT_S)
        if time.monotonic() - began > limit:
            self._hung = True
            self.kill()

    def stop(self) -> None:
        """Ask the process to end and start no other."""
        self._stopping = True
        if self._listener is not None:
            self._listener.close()
        if self.alive:
            self._channel.hang_up()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()

    def _spawn(self) -> None:
        ours, theirs = pair()
        memory = os.memfd_create("emotions-beats")
        os.ftruncate(memory, BEATS * 8)
        passed = [theirs.fileno(), memory]
        if self._listener is not None:
            passed.insert(0, self._listener.fileno())
        command = [sys.executable, "-m", self._module, *map(str, passed)]
        # The process inherits the mask: Ctrl-C is for the service, which answers what it accepted.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._process = subprocess.Popen(  # noqa: S603  (ourselves)
                command, stdin=subprocess.DEVNULL, pass_fds=passed, cwd=ROOT
            )
            self._channel, self._beats = Channel(ours), Beats(memory)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            theirs.close()
            os.close(memory)

    def _readable(self) -> None:
        try:
            message = self._channel.receive(0)
        except BlockingIOError:
            return
        except (EOFError, OSError):
            self._end()
            return
        match messages.from_process(message.note):
            case Line(logger, level, text):
                logging.getLogger(logger).log(level, "%s", text)
            case Ready():
                self._useful = True
                self.ready()
            case answer:
                self.answered(answer, message)

    def _end(self) -> None:
        """Reap the process, report its end and start the next."""
        process, self._process = self._process, None
        if process is None:
            return
        self._loop.remove_reader(self._channel.fileno())
        self._channel.close()
        process.kill()
        how = _how(process.wait())
        if self._stopping:
            self.ended(DIED)
            return
        self._useless = 0 if self._useful else self._useless + 1
        wait = pause(self._useless)
        log.error(
            "%s ended (%s) and is started anew%s",
            self._module.rpartition(".")[2],
            "it hung" if self._hung else how,
            _advice(wait),
        )
        self.ended(HUNG if self._hung else DIED)
        self._start_later()

    def _start_later(self) -> None:
        self._loop.call_later(pause(self._useless), self._begin)


def pause(useless: int) -> float:
    """Seconds before the next start: none but after lives in which nothing could be opened."""
    if not useless:
        return 0.0
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(useless - 1, 16)))


def _how(status: int) -> str:
    return signal.strsignal(-status) or "" if status < 0 else f"exit status {status}"


def _advice(seconds: float) -> str:
    if seconds < ADVICE_FROM_S:
        return ""
    return (
        f" in {seconds:g} s; it does not stay up: the lines above say why, `emotions verify` tries "
        "its plans, and EMOTIONS_ISOLATE=false runs them in the service's own process"
    )
