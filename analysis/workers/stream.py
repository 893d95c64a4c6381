"""One thread of a device process: takes batches of one network, runs them, and answers."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import numpy as np

from analysis.networks import Plan
from analysis.timing import Batch
from analysis.workers.batcher import Batcher, Request
from analysis.workers.child import Beats
from analysis.workers.messages import plain
from analysis.workers.remote import Reply
from engines.types import Array, Engine, Runner, Staging

log = logging.getLogger("emotions.device")


class Stream:
    """Owns a runner of one network."""

    def __init__(self, engine: Engine, plan: Plan, batcher: Batcher) -> None:
        self.opened = threading.Event()
        self._engine, self._plan, self._batcher = engine, plan, batcher
        self._input = plan.spec.input_name

    def start(self, beats: Beats, number: int) -> None:
        """Start the thread, which opens the runner; its beats have this number."""
        self._beats, self._number = beats, number
        threading.Thread(target=self._work, daemon=True, name=self._plan.spec.task).start()

    def _work(self) -> None:
        """Open the runner, again after it failed; a runner that cannot be opened ends the process.

        Requests of a batch that failed are run again, each alone on a runner that was opened anew:
        other rows may be why, or another stream that broke what all runners of a GPU share.
        """
        again: list[Request] = []
        try:
            while True:
                self._beats.beat(self._number)
                with self._engine.open(self._plan.path, self._plan.spec) as runner:
                    self._run(runner, [np.zeros((1, *self._plan.spec.input_shape), np.uint8)])
                    self.opened.set()
                    again = self._serve(runner, again)
        except BaseException:
            log.exception("%s cannot be opened", self._plan.spec.name)
            os._exit(1)

    def _serve(self, runner: Runner, again: list[Request]) -> list[Request]:
        """Run batches until one fails; what of it is to be run again, each alone."""
        while True:
            self._beats.rest(self._number)
            alone = bool(again)
            requests = self._batcher.again(again) if alone else self._batcher.take()
            self._beats.beat(self._number)
            started = time.monotonic()
            try:
                outputs = self._run(runner, [request.rows for request in requests])
            except Exception as error:
                self._batcher.done()
                log.exception("%s failed", self._plan.spec.name)
                if not alone:
                    return requests
                _reply(requests[0], Reply(error=plain(str(error))), {})
                return again
            self._batcher.done()
            self._answer(requests, outputs, started)

    def _run(self, runner: Runner, parts: Sequence[Array]) -> dict[str, Array]:
        return runner.infer({self._input: joined(runner, parts)})

    def _answer(
        self, requests: Sequence[Request], outputs: dict[str, Array], started: float
    ) -> None:
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


def joined(runner: Runner, parts: Sequence[Array]) -> Array:
    """Join rows into one batch, in the runner's own memory where it has some."""
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    if isinstance(runner, Staging):
        return np.concatenate(parts, out=runner.stage(shape, parts[0].dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _reply(request: Request, reply: Reply, outputs: dict[str, Array]) -> None:
    with suppress(OSError):  # the worker is gone
        request.channel.send(msgspec.msgpack.encode(reply), outputs)
