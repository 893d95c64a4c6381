"""Several HTTP processes on one port: forked, supervised, and replaced when they end."""

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
# Pause before a process that ended is replaced.
PAUSE_S = 1.0
SIGNALS = {signal.SIGTERM, signal.SIGINT}


class Supervisor:
    """Runs `serve` in a process per replica, each with its own listener, until SIGTERM or SIGINT.

    The processes are forked, so that they share the memory of modules, and the models are found
    only once. No thread may run before the fork.
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
            self._ended(self._pids.pop(pid), status)

    def _ended(self, replica: Replica, status: int) -> None:
        if self._stopping:
            # From now on, new connections go to the remaining processes.
            self._listeners[replica.number].close()
            self._terminate()
            return
        log.error("http.ended", process=replica.number, status=os.waitstatus_to_exitcode(status))
        time.sleep(PAUSE_S)
        if not self._stopping:
            self._start(replica)

    def _start(self, replica: Replica) -> None:
        # Neither process may miss a signal between the fork and the installation of its handlers.
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if not pid:
            for number in SIGNALS:
                signal.signal(number, lambda number, frame: os._exit(0))
        else:
            self._pids[pid] = replica
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        if not pid:
            self._run_child(replica)

    def _run_child(self, replica: Replica) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C reaches only the supervisor, which forwards it once
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
        """Forward the signal; a second one kills all processes."""
        if self._stopping:
            for pid in self._pids:
                os.kill(pid, signal.SIGKILL)
        self._stopping = True
        self._terminate()

    def _terminate(self) -> None:
        """Terminate all processes but the first, then the first: it runs the device processes."""
        others = {pid for pid, replica in self._pids.items() if replica.number}
        # A second SIGTERM would end a process at once, so each gets only one.
        for pid in (others or set(self._pids)) - self._signalled:
            os.kill(pid, signal.SIGTERM)
            self._signalled.add(pid)
