"""One thread of a device process: it runs the batches of one network and sends the outputs."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import numpy as np

from analysis.plans import ModelPlan
from analysis.timing import Batch
from analysis.workers.batcher import Batcher, QueuedRows
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.messages import sendable
from analysis.workers.remote import Reply
from engines.types import Array, Engine, InputBuffer, Runner

log = logging.getLogger("emotions.device")


class RunnerThread:
    """Owns a runner of one network; `ready` is set when the runner is open."""

    def __init__(self, engine: Engine, plan: ModelPlan, batcher: Batcher) -> None:
        self.ready = threading.Event()
        self._engine, self._plan, self._batcher = engine, plan, batcher
        self._input = plan.spec.input_name

    def start(self, heartbeats: Heartbeats, number: int) -> None:
        """Start the thread, which opens the runner and records heartbeats as thread `number`."""
        self._heartbeats, self._number = heartbeats, number
        threading.Thread(target=self._work, daemon=True, name=self._plan.spec.task).start()

    def _work(self) -> None:
        """Open the runner and run batches; open it again after a failure.

        The requests of a failed batch run again, each alone on a new runner: the cause may be the
        rows of another request, or another thread that broke the GPU's context. If the runner
        cannot be opened, the process ends.
        """
        failed: list[QueuedRows] = []
        try:
            while True:
                self._heartbeats.beat(self._number)
                with self._engine.open(self._plan.path, self._plan.spec) as runner:
                    self._run(runner, [np.zeros((1, *self._plan.spec.input_shape), np.uint8)])
                    self.ready.set()
                    failed = self._serve(runner, failed)
        except BaseException:
            log.exception("%s cannot be opened", self._plan.spec.name)
            os._exit(1)

    def _serve(self, runner: Runner, failed: list[QueuedRows]) -> list[QueuedRows]:
        """Run the `failed` requests one by one, and then batches.

        Return at the next failure, with the requests to run again.
        """
        while True:
            self._heartbeats.rest(self._number)
            alone = bool(failed)
            requests = self._batcher.take_failed(failed) if alone else self._batcher.take()
            self._heartbeats.beat(self._number)
            started = time.monotonic()
            try:
                outputs = self._run(runner, [request.rows for request in requests])
            except Exception as error:
                self._batcher.done()
                log.exception("%s failed", self._plan.spec.name)
                if not alone:
                    return requests
                _reply(requests[0], Reply(error=sendable(str(error))), {})
                return failed
            self._batcher.done()
            self._answer(requests, outputs, started)

    def _run(self, runner: Runner, parts: Sequence[Array]) -> dict[str, Array]:
        return runner.infer({self._input: join_rows(runner, parts)})

    def _answer(
        self, requests: Sequence[QueuedRows], outputs: dict[str, Array], started: float
    ) -> None:
        """Send each request its part of the outputs."""
        ended, first = time.monotonic(), 0
        rows = sum(len(request.rows) for request in requests)
        for request in requests:
            last = first + len(request.rows)
            batch = Batch(
                self._plan.spec.task, 0 if first else rows, requests[0].queued, started, ended
            )
            _reply(
                request,
                Reply(batch),
                {name: array[first:last] for name, array in outputs.items()},
            )
            first = last


def join_rows(runner: Runner, parts: Sequence[Array]) -> Array:
    """Join arrays (n, ...) into one batch (N, ...), in the runner's own memory if it has any."""
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    if isinstance(runner, InputBuffer):
        return np.concatenate(parts, out=runner.input_buffer(shape, parts[0].dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _reply(request: QueuedRows, reply: Reply, outputs: dict[str, Array]) -> None:
    with suppress(OSError):  # the worker has ended
        request.channel.send(msgspec.msgpack.encode(reply), outputs)
