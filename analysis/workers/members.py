"""What a pool is made of: workers and devices in processes of their own, or workers in threads."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue

from analysis.analyze import Task
from analysis.networks import Networks
from analysis.workers import messages
from analysis.workers.channel import Message
from analysis.workers.messages import Answer, Reconnect, Setup, encode
from analysis.workers.process import DIED, Process
from analysis.workers.types import Dispatcher, Group, Seat
from analysis.workers.worker import Worker as Analyzer

log = logging.getLogger("emotions.worker")
LONGEST_BACKLOG = 1024


class ProcessWorker(Process):
    """A worker in a process of its own."""

    def __init__(self, setup: Setup) -> None:
        super().__init__("analysis.workers.worker", setup)
        self._tasks: Sequence[Task] = ()
        self._pool: Dispatcher
        self._seat: Seat

    def start(self, pool: Dispatcher, seat: Seat) -> None:
        self._pool, self._seat = pool, seat
        self.begin(pool.loop)

    def send(self, tasks: Sequence[Task]) -> bool:
        self._tasks = tasks
        note, arrays = messages.images(tasks)
        return self.post(encode(note), arrays)

    def reconnect(self) -> None:
        self.post(encode(Reconnect()), {})

    def ready(self) -> None:
        self._pool.became_ready(self._seat)

    def answered(self, answer: Answer, message: Message) -> None:
        if answer.lost:
            self._pool.lost(self._seat, tried=answer.tried)
            return
        options = [task.options for task in self._tasks]
        results = messages.results(answer, message, options)
        self._pool.answered(self._seat, results, answer.batches, answer.failures)

    def ended(self, reason: str) -> None:
        self._pool.ended(self._seat, reason)


class ProcessDevice(Process):
    """A device process, at an address that outlives it: workers connect to the next one."""

    def __init__(self, setup: Setup, listener: socket.socket) -> None:
        super().__init__("analysis.workers.device", setup, listener)
        self._pool: Dispatcher
        self._group: Group

    def start(self, pool: Dispatcher, group: Group) -> None:
        self._pool, self._group = pool, group
        self.begin(pool.loop)

    def ready(self) -> None:
        """Workers that wait for it are ready by themselves."""

    def ended(self, reason: str) -> None:
        self._pool.device_ended(self._group, reason)


def listen(kind: socket.SocketKind = socket.SOCK_SEQPACKET) -> socket.socket:
    """Listen at an address that Linux picks, for processes of this machine."""
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind("")
    listener.listen(LONGEST_BACKLOG)
    return listener


def address(listener: socket.socket) -> str:
    """Where `remote.Device` connects to a listener."""
    return bytes(listener.getsockname()[1:]).decode()


class ThreadWorker:
    """A worker in a thread of this process, where there are no workers in processes.

    What kills it kills the service, and it cannot be stopped when it hangs.
    """

    def __init__(self, networks: Callable[[], AbstractContextManager[Networks]]) -> None:
        self._networks = networks
        self._tasks = SimpleQueue[Sequence[Task] | None]()
        self._thread = threading.Thread(target=self._work, daemon=True, name="worker")
        self._pool: Dispatcher
        self._seat: Seat

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self, pool: Dispatcher, seat: Seat) -> None:
        self._pool, self._seat = pool, seat
        self._thread.start()

    def send(self, tasks: Sequence[Task]) -> bool:
        self._tasks.put(tasks)
        return True

    def reconnect(self) -> None:
        """There is no device."""

    def check(self, limit_s: float, busy_since: float | None) -> None:
        """A thread cannot be ended."""

    def stop(self) -> None:
        self._tasks.put(None)

    def kill(self) -> None:
        """A thread cannot be ended."""

    def _work(self) -> None:
        try:
            with Analyzer(self._networks) as analyzer:
                self._call(partial(self._pool.became_ready, self._seat))
                while tasks := self._tasks.get():
                    found = analyzer.analyze(tasks)
                    self._call(partial(self._pool.answered, self._seat, *found))
        except Exception:
            log.exception("a worker ended")
            self._call(partial(self._pool.ended, self._seat, DIED))

    def _call(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._pool.loop.call_soon_threadsafe(callback)
