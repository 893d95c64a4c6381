"""Several HTTP processes on one port: forked, watched, and replaced when they end."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from socket import socket
from types import FrameType
from typing import NoReturn

import structlog

from analysis.workers.child import PR_SET_PDEATHSIG
from analysis.workers.replica import Replica

log = structlog.get_logger("emotions.server")
PAUSE_S = 1.0
SIGNALS = {signal.SIGTERM, signal.SIGINT}


class Supervisor:
    """Runs `serve` in a process per replica and listener until SIGTERM or SIGINT.

    The processes are forked: models are found once, and modules share their memory. Nothing may run
    in a thread before.
    """

    def __init__(
        self,
        serve: Callable[[socket, Replica], None],
        replicas: Sequence[Replica],
        listeners: Sequence[socket],
    ) -> None:
        self._serve = serve
        self._replicas, self._listeners = replicas, listeners
        self._pids: dict[int, Replica] = {}
        self._signalled: set[int] = set()
        self._stopping = False

    def run(self) -> None:
        """Start the processes, replace those that end, and return when all have stopped."""
        for replica in self._replicas:
            self._start(replica)
        for number in SIGNALS:
            signal.signal(number, self._stop)
        while self._pids:
            pid, status = os.wait()
            replica = self._pids.pop(pid)
            if self._stopping:
                self._listeners[replica.number].close()  # new connections go to those that are left
                self._end()
                continue
            log.error(
                "http.ended", process=replica.number, status=os.waitstatus_to_exitcode(status)
            )
            time.sleep(PAUSE_S)
            if not self._stopping:
                self._start(replica)

    def _start(self, replica: Replica) -> None:
        # Neither this process nor the new one may miss a signal between the fork and its handlers.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if not pid:
            for number in SIGNALS:
                signal.signal(number, lambda number, frame: os._exit(0))
        else:
            self._pids[pid] = replica
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        if not pid:
            self._child(replica)

    def _child(self, replica: Replica) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which passes it on once
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            for listener in self._listeners:
                if listener is not self._listeners[replica.number]:
                    listener.close()
            self._serve(self._listeners[replica.number], replica)
            status = 0
        except Exception:
            log.exception("http.failed", process=replica.number)
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
        others = {pid for pid, replica in self._pids.items() if replica.number}
        for pid in (others or set(self._pids)) - self._signalled:  # a second one would be too much
            os.kill(pid, signal.SIGTERM)
            self._signalled.add(pid)
