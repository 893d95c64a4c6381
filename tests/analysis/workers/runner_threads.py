"""A stream of a network on its own, and the ends of workers that wait for its replies."""

import os
import threading
from contextlib import ExitStack, closing

import msgspec
import numpy as np

from analysis.plans import ModelPlan
from analysis.workers import heartbeats
from analysis.workers.batcher import Batcher, QueuedRows
from analysis.workers.channel import Channel, Message
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.opening import Opening
from analysis.workers.remote import Reply
from analysis.workers.runner_thread import RunnerThread
from analysis.workers.sockets import pair
from engines.types import Array, Engine
from tests.analysis.fakes import plans

PLANS = plans()
LARGEST = 8
WAIT_S = 30.0


class Bench:
    """A stream of a network, and workers that wait for it."""

    def __init__(
        self,
        engine: Engine,
        stack: ExitStack,
        plan: ModelPlan = PLANS.emotion,
        opening: Opening | None = None,
    ) -> None:
        # One slot: a stream that does not free it after every batch gets no other.
        self.batcher, self._stack = Batcher(LARGEST, threading.Semaphore(1)), stack
        memory = heartbeats.allocate()
        self.beats = Heartbeats(memory)
        os.close(memory)
        self.stream = RunnerThread(engine, plan, self.batcher, opening or Opening(1))
        self.stream.start(self.beats, 1)
        if opening is None:
            self.wait()

    def wait(self) -> None:
        """Wait until the runner is open."""
        assert self.stream.ready.wait(WAIT_S)

    def ask(self, *values: int) -> Channel:
        """Queue rows of these values; the worker's end of the channel gets the reply."""
        return self.ask_for(rows(*values))

    def ask_for(self, given: Array) -> Channel:
        ours, theirs = (Channel(end) for end in pair())
        for end in (ours, theirs):
            self._stack.enter_context(closing(end))
        self.batcher.put(QueuedRows(given, theirs))
        return ours


def benches(engine: Engine, stack: ExitStack, plan: ModelPlan, count: int) -> list[Bench]:
    """Streams of a network that open together."""
    opening = Opening(count)
    found = [Bench(engine, stack, plan, opening) for _ in range(count)]
    for bench in found:
        bench.wait()
    return found


def rows(*values: int) -> Array:
    return np.stack([np.full((48, 48), value, np.uint8) for value in values])


def receive_reply(worker: Channel) -> tuple[Reply, Message]:
    message = worker.receive(WAIT_S)
    return msgspec.msgpack.decode(message.note, type=Reply), message


def scores(worker: Channel) -> list[float]:
    """The outputs that a worker gets for its rows."""
    reply, message = receive_reply(worker)
    assert reply.error is None, reply.error
    return [round(float(value) * 255) for value in message.arrays["scores"][:, 0]]
