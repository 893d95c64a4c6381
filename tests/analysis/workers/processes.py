"""Real processes with the engine `tests.engines.faulty`, and an event loop in a thread for them."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import TypeVar

import numpy as np

from analysis.errors import ServiceError
from analysis.plans import ModelPlans
from analysis.types import Analysis, Input, Options, Result, Source
from analysis.workers.channel import Message
from analysis.workers.messages import Answer, Setup
from analysis.workers.pool import Pool
from analysis.workers.process import Process
from analysis.workers.types import Timer
from engines.gpus import Gpu
from tests.analysis.fakes import plans
from tests.photographs import encode
from tests.waiting import until

Value = TypeVar("Value")
Outcome = Result | ServiceError
# Long, for a busy machine.
WAIT_S = 60.0
# Longer than the interval of a waiting worker's heartbeats.
LIMIT_S = 2.0


class LoopInThread:
    """An event loop that records the pauses of `call_later`, and cuts them short."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.pauses: list[float] = []
        self.longest = 0.25

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self._loop.add_reader(fd, callback)

    def remove_reader(self, fd: int) -> bool:
        return self._loop.remove_reader(fd)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.pauses.append(delay)
        return self._loop.call_later(min(delay, self.longest), callback)

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> object:
        return self._loop.call_soon_threadsafe(callback)

    def run(self, call: Callable[[], Value]) -> Value:
        """Call in the loop's thread, from another one."""

        async def called() -> Value:
            return call()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(WAIT_S)

    def serve(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextmanager
def turning() -> Iterator[LoopInThread]:
    loop = LoopInThread()
    thread = threading.Thread(target=loop.serve)
    thread.start()
    try:
        yield loop
    finally:
        loop.end()
        thread.join(WAIT_S)


class Watched(Process):
    """A process whose events a test waits for."""

    def __init__(
        self,
        module: str,
        setup: Setup,
        listener: socket | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        super().__init__(module, setup, listener, gpu)
        self.events = queue.SimpleQueue[str]()
        self.answers = queue.SimpleQueue[tuple[Answer, Message]]()

    def ready(self) -> None:
        self.events.put("ready")

    def ended(self, reason: str) -> None:
        self.events.put(reason)

    def answered(self, answer: Answer, message: Message) -> None:
        copies = {name: array.copy() for name, array in message.arrays.items()}
        self.answers.put((answer, Message(message.note, copies)))

    def number(self) -> int:
        """The process that runs now."""
        assert self.pid is not None
        return self.pid

    def next(self) -> str:
        """The next event."""
        return self.events.get(timeout=WAIT_S)


@contextmanager
def running(process: Watched, loop: LoopInThread) -> Iterator[None]:
    """Start a process; kill it at the end."""
    loop.run(lambda: process.begin(loop))
    try:
        yield
    finally:
        loop.run(process.stop)
        loop.run(process.kill)
        until(lambda: not process.alive)


@contextmanager
def started(pool: Pool, loop: LoopInThread) -> Iterator[Pool]:
    """Start a pool; stop it at the end."""
    loop.run(lambda: pool.start(loop))
    try:
        yield pool
    finally:
        loop.run(pool.stop)
        loop.run(pool.kill)
        until(lambda: not pool.alive)


def setup(folder: Path, given: ModelPlans | None = None, device: str | None = None) -> Setup:
    return Setup(f"tests.engines.faulty:engine:{folder}", None, given or plans(), device)


def plain(value: int) -> bytes:
    """An image for which every row of the networks has this value."""
    return encode(np.full((64, 64, 3), value, np.uint8))


def submit(pool: Pool, loop: LoopInThread, source: Source) -> "queue.SimpleQueue[Outcome]":
    """Submit an image; the queue gets its result."""
    answers = queue.SimpleQueue[Outcome]()
    deadline = time.monotonic() + WAIT_S
    loop.run(lambda: pool.submit(Input(source, Options()), deadline, answers.put))
    return answers


def value_of(outcome: Outcome) -> int | type[ServiceError]:
    """The value that the emotion network got for an image, or the type of its error."""
    if isinstance(outcome, ServiceError):
        return type(outcome)
    if not isinstance(outcome.outcome, Analysis):
        return type(outcome.outcome)
    return round(float(outcome.outcome.scores[0, 0]) * 255)
