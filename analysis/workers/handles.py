"""Handles to workers and devices in processes of their own, and to workers in threads."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue
from socket import socket

from analysis.networks import Networks
from analysis.types import Input
from analysis.workers.channel import Message
from analysis.workers.messages import Answer, Reconnect, Setup, encode
from analysis.workers.packing import pack_inputs, unpack_results
from analysis.workers.process import DIED, Process
from analysis.workers.types import Dispatcher, Group, Worker
from analysis.workers.worker import Analyzer
from engines.gpus import Gpu

log = logging.getLogger("emotions.worker")


class ProcessWorker(Process):
    """A worker in a process of its own."""

    def __init__(self, setup: Setup) -> None:
        super().__init__("analysis.workers.worker", setup)
        self._inputs: Sequence[Input] = ()
        self._pool: Dispatcher
        self._worker: Worker

    def start(self, pool: Dispatcher, worker: Worker) -> None:
        self._pool, self._worker = pool, worker
        self.begin(pool.loop)

    def send(self, inputs: Sequence[Input]) -> bool:
        self._inputs = inputs
        note, arrays = pack_inputs(inputs)
        return self.post(encode(note), arrays)

    def reconnect(self) -> None:
        self.post(encode(Reconnect()), {})

    def ready(self) -> None:
        self._pool.became_ready(self._worker)

    def answered(self, answer: Answer, message: Message) -> None:
        if answer.lost:
            self._pool.lost(self._worker, tried=answer.tried)
            return
        options = [each.options for each in self._inputs]
        results = unpack_results(answer, message.arrays, options)
        self._pool.answered(self._worker, results, answer.batches, answer.failures)

    def ended(self, reason: str) -> None:
        self._pool.ended(self._worker, reason)


class ProcessDevice(Process):
    """A device process, at an address that outlives it: workers connect to its successor."""

    def __init__(self, setup: Setup, listener: socket, gpu: Gpu | None = None) -> None:
        super().__init__("analysis.workers.device", setup, listener, gpu)
        self._pool: Dispatcher
        self._group: Group

    def start(self, pool: Dispatcher, group: Group) -> None:
        self._pool, self._group = pool, group
        self.begin(pool.loop)

    def ready(self) -> None:
        """Do nothing: the workers that wait for the device report that they are ready."""

    def ended(self, reason: str) -> None:
        self._pool.device_ended(self._group, reason)


class ThreadWorker:
    """A worker in a thread of this process, for systems without worker processes.

    An image that kills it kills the service. It cannot be stopped while it hangs.
    """

    def __init__(self, networks: Callable[[], AbstractContextManager[Networks]]) -> None:
        self._networks = networks
        self._inputs = SimpleQueue[Sequence[Input] | None]()
        self._thread = threading.Thread(target=self._work, daemon=True, name="worker")
        self._pool: Dispatcher
        self._worker: Worker

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self, pool: Dispatcher, worker: Worker) -> None:
        self._pool, self._worker = pool, worker
        self._thread.start()

    def send(self, inputs: Sequence[Input]) -> bool:
        self._inputs.put(inputs)
        return True

    def reconnect(self) -> None:
        """Do nothing: there is no device."""

    def check(self, limit_s: float, busy_since: float | None) -> None:
        """Do nothing: a thread cannot be killed."""

    def stop(self) -> None:
        self._inputs.put(None)

    def kill(self) -> None:
        """Do nothing: a thread cannot be killed."""

    def _work(self) -> None:
        try:
            with Analyzer(self._networks) as analyzer:
                self._call(partial(self._pool.became_ready, self._worker))
                while inputs := self._inputs.get():
                    found = analyzer.analyze(inputs)
                    self._call(partial(self._pool.answered, self._worker, *found))
        except Exception:
            log.exception("a worker ended")
            self._call(partial(self._pool.ended, self._worker, DIED))

    def _call(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._pool.loop.call_soon_threadsafe(callback)
