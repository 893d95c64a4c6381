"""The service's side: one process that runs the engines, watched, and started anew when it ends."""

import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from engines.catalog import ModelSpec
from engines.errors import RunnerError, RunnerHung, RunnerInterrupted, RunnerLost
from engines.worker import control as words
from engines.worker.channel import Channel, pair
from engines.worker.remote import RemoteRunner

log = logging.getLogger("emotions.worker")
REASONS = DIED, HUNG = "died", "hung"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0
# A longer pause is told with what may help.
TELL_FROM_S = 1.0
# Time to close its runners at the end, beyond that of `lanes.GRACE_S`.
CLOSE_S = 7.0
# Where our packages are, for `python -m` in the worker; not where the service was started.
ROOT = Path(__file__).parents[2]


def command(engine: str, capability: str | None, module: str = "engines.worker") -> list[str]:
    """What starts a worker for an engine of `engines.runner.load_engine`."""
    return [sys.executable, "-m", module, engine, capability or ""]


class _Life:
    """One process, from start to end."""

    def __init__(self, command: Sequence[str]) -> None:
        self.control, theirs = pair()
        self.hung = False
        self.useful = False
        number = theirs.fileno()
        try:
            self.process = subprocess.Popen(  # noqa: S603  (ourselves)
                [*command, str(number)], stdin=subprocess.DEVNULL, pass_fds=[number], cwd=ROOT
            )
        except OSError:
            self.control.close()
            raise
        finally:
            theirs.close()

    def listen(self) -> None:
        """Log what the worker says until it is gone."""
        while data := self.control.recv(words.LONGEST):
            line = words.decode_line(data)
            logging.getLogger(line.logger).log(line.level, "%s", line.text)

    def hang_up(self) -> None:
        """Ask the worker to end when its runners are closed."""
        with contextlib.suppress(OSError):  # it has ended
            self.control.shutdown(socket.SHUT_WR)

    def end(self) -> str:
        """Make sure that it is over; how it ended."""
        self.process.kill()
        status = self.process.wait()
        self.control.close()
        return signal.strsignal(-status) or "" if status < 0 else f"exit status {status}"


class Worker:
    """A process that opens runners for threads of this one, as `Engine.open` would.

    `limit_s` is the longest time that a batch may take, see `RemoteRunner`: a native call that
    hangs cannot be stopped from outside, only its process can. `restarted` is told which of
    `REASONS` a worker was replaced for.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        limit_s: float,
        restarted: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._command = command
        self._limit_s = limit_s
        self._restarted = restarted
        self._lost: Callable[[], None] = lambda: None
        self._changed = threading.Condition()
        self._life: _Life | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name="worker", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process that is there now."""
        life = self._life
        return life.process.pid if life else None

    def start(self, lost: Callable[[], None]) -> None:
        """Start the process.

        `lost` is called, from any thread, when one has ended, and must not call back.
        """
        self._lost = lost
        self._thread.start()

    def open(self, plan: Path, spec: ModelSpec, more: bytes = b"") -> RemoteRunner:
        """Open a runner in the process, waiting for it where it is being started.

        `more` is told to the process; see `control.Open`.

        Raises:
            EngineError: the plan could not be loaded.
            RunnerLost: the process ended meanwhile, or is not to be started again.
        """
        life = self._present()
        ours, theirs = pair()
        runner = RemoteRunner(Channel(ours), partial(self._gone, life), self._limit_s)
        with theirs:
            asked = words.encode(words.Open(plan.absolute(), spec, more))
            try:
                socket.send_fds(life.control, [asked], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise self._gone(life, False) from error
        try:
            runner.await_open()
        except BaseException:
            ours.close()
            raise
        life.useful = True
        return runner

    def close(self) -> None:
        """End the process, once its runners have been closed. Blocks."""
        with self._changed:
            self._closing = True
            if self._life is not None:
                self._life.hang_up()
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        life = self._life
        if life is not None:
            life.process.kill()
        self._thread.join()

    def _present(self) -> _Life:
        with self._changed:
            self._changed.wait_for(lambda: self._life is not None or self._closing)
            if self._life is None:
                raise RunnerLost("the inference worker has been stopped")
            return self._life

    def _gone(self, life: _Life, hung: bool) -> RunnerError:
        """Note that a process has ended, or end it when it hangs; what its runners raise."""
        with self._changed:
            if self._life is life:
                self._life, life.hung = None, hung
                life.process.kill()
                # Under the lock: no batch of this life is given back before all know of its end.
                self._lost()
        if hung:
            return RunnerHung("a batch took too long; the worker was ended")
        if life.hung:
            return RunnerInterrupted("the worker was ended because another batch hung")
        return RunnerLost("the inference worker died")

    def _watch(self) -> None:
        """Start a process, and another whenever it ends. PR_SET_PDEATHSIG is of this thread."""
        # What is started inherits it: Ctrl-C is for the service, which answers what it accepted.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        useless = 0
        while True:
            how, useful = self._live()
            if self._closing:
                return
            useless = 0 if useful else useless + 1
            wait = pause(useless)
            log.error("the inference worker ended (%s) and is started anew%s", how, _advice(wait))
            with self._changed:
                self._changed.wait_for(lambda: self._closing, wait)

    def _live(self) -> tuple[str, bool]:
        """One life; how it ended, and whether a runner was opened in it."""
        try:
            life = _Life(self._command)
        except OSError as error:
            return f"cannot be started: {error.strerror}", False
        with self._changed:
            self._life = life
            if self._closing:
                life.hang_up()
            self._changed.notify_all()
        try:
            life.listen()
        except OSError:
            log.debug("the worker's control socket broke", exc_info=True)
        if not self._closing:
            self._gone(life, False)
            self._restarted(HUNG if life.hung else DIED)
        else:
            self._life = None
        how = life.end()
        return "it hung" if life.hung else how, life.useful


def pause(useless: int) -> float:
    """Seconds before the next start: none but after lives in which nothing could be opened."""
    if not useless:
        return 0.0
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(useless - 1, 16)))


def _advice(seconds: float) -> str:
    if seconds < TELL_FROM_S:
        return ""
    return (
        f" in {seconds:g} s; it does not stay up: the lines above say why, `emotions verify` tries "
        "its plans, and EMOTIONS_ISOLATE=false runs them in the service's own process"
    )
