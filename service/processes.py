"""Several HTTP processes on one port: forked, watched, and replaced when they end."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from socket import SOCK_STREAM, socket
from types import FrameType
from typing import NamedTuple, NoReturn

import structlog

from analysis.workers.child import PR_SET_PDEATHSIG
from analysis.workers.members import listen

log = structlog.get_logger("emotions.server")
PAUSE_S = 1.0
SIGNALS = {signal.SIGTERM, signal.SIGINT}


class Share(NamedTuple):
    """Which HTTP process this is, and what it shares with the others.

    `devices` are the listeners of the device processes, which the first HTTP process starts;
    `metrics` are those at which each process shows its metrics to the others.
    """

    number: int = 0
    processes: int = 1
    devices: Sequence[socket] = ()
    metrics: Sequence[socket] = ()

    def of(self, total: int) -> int:
        """This process's part of a number, at least one unless it is 0."""
        return -(-total // self.processes)


def shares(count: int, devices: int) -> list[Share]:
    """The shares of `count` processes that use so many device processes."""
    of_devices = [listen() for _ in range(devices)]
    of_metrics = [listen(SOCK_STREAM) for _ in range(count)]
    return [Share(number, count, of_devices, of_metrics) for number in range(count)]


class Supervisor:
    """Runs `serve` in a process per share and listener until SIGTERM or SIGINT.

    The processes are forked: models are found once, and modules share their memory. Nothing may run
    in a thread before.
    """

    def __init__(
        self,
        serve: Callable[[socket, Share], None],
        shares: Sequence[Share],
        listeners: Sequence[socket],
    ) -> None:
        self._serve = serve
        self._shares, self._listeners = shares, listeners
        self._pids: dict[int, Share] = {}
        self._signalled: set[int] = set()
        self._stopping = False

    def run(self) -> None:
        """Start the processes, replace those that end, and return when all have stopped."""
        for share in self._shares:
            self._start(share)
        for number in SIGNALS:
            signal.signal(number, self._stop)
        while self._pids:
            pid, status = os.wait()
            share = self._pids.pop(pid)
            if self._stopping:
                self._listeners[share.number].close()  # new connections go to those that are left
                self._end()
                continue
            log.error("http.ended", process=share.number, status=os.waitstatus_to_exitcode(status))
            time.sleep(PAUSE_S)
            if not self._stopping:
                self._start(share)

    def _start(self, share: Share) -> None:
        # Neither this process nor the new one may miss a signal between the fork and its handlers.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if not pid:
            for number in SIGNALS:
                signal.signal(number, lambda number, frame: os._exit(0))
        else:
            self._pids[pid] = share
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        if not pid:
            self._child(share)

    def _child(self, share: Share) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which passes it on once
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            for listener in self._listeners:
                if listener is not self._listeners[share.number]:
                    listener.close()
            self._serve(self._listeners[share.number], share)
            status = 0
        except Exception:
            log.exception("http.failed", process=share.number)
        finally:
            os._exit(status)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Pass the signal on; a second one ends all at once."""
        if self._stopping:
            for pid in self._pids:
                os.kill(pid, signal.SIGKILL)
        self._stopping = True
        self._end()

    def _end(self) -> None:
        """Signal all but the first process, and that one last: the others need its devices."""
        others = {pid for pid, share in self._pids.items() if share.number}
        for pid in (others or set(self._pids)) - self._signalled:  # a second one would be too much
            os.kill(pid, signal.SIGTERM)
            self._signalled.add(pid)
