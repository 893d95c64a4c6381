"""One thread of a device process: it runs the batches of one network and sends the outputs."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import msgspec
import numpy as np

from analysis.plans import ModelPlan
from analysis.timing import Batch
from analysis.workers.batcher import Batcher, QueuedRows
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.messages import sendable
from analysis.workers.opening import Opening
from analysis.workers.remote import Reply
from engines.errors import EngineError, GpuMemoryError
from engines.memory import turn
from engines.types import Array, Engine, InputBuffer, Runner

log = logging.getLogger("emotions.device")


class RunnerThread:
    """Owns a runner of one network; `ready` is set when the runner is open.

    If the GPU's memory is short, the runner has fewer batch sizes until the process ends.
    """

    def __init__(self, engine: Engine, plan: ModelPlan, batcher: Batcher, opening: Opening) -> None:
        self.ready = threading.Event()
        self._engine, self._plan, self._batcher, self._opening = engine, plan, batcher, opening
        self._spec = plan.spec

    def start(self, heartbeats: Heartbeats, number: int) -> None:
        """Start the thread, which opens the runner and records heartbeats as thread `number`."""
        self._heartbeats, self._number = heartbeats, number
        threading.Thread(target=self._work, daemon=True, name=self._spec.task).start()

    def _work(self) -> None:
        """Open the runner and run batches; open it again after a failure.

        The requests of a failed batch run again, each alone on a new runner: the cause may be the
        rows of another request, or another thread that broke the GPU's context. If the runner
        cannot be opened, the process ends.
        """
        turn.began = partial(self._heartbeats.beat, self._number)
        failed: list[QueuedRows] = []
        try:
            runner = self._open_together()
            while True:
                with runner:
                    self.ready.set()
                    failed = self._serve(runner, failed)
                runner = self._open_reduced()
        except EngineError as error:
            log.error("%s cannot be opened: %s", self._spec.name, error)
        except BaseException:
            log.exception("%s cannot be opened", self._spec.name)
        os._exit(1)

    def _open_together(self) -> Runner:
        """Open the runner when the other threads of the process open theirs; see `Opening`."""
        while True:
            found = self._open_or_refuse()
            self._heartbeats.rest(self._number)
            refused = isinstance(found, GpuMemoryError)
            again = self._opening.again(opened=not refused, reducible=len(self._spec.batches) > 1)
            if not again:
                return _required(found)
            if not isinstance(found, GpuMemoryError):
                found.__exit__(None, None, None)
            self._reduce()
            self._opening.wait_until_closed()

    def _open_reduced(self) -> Runner:
        """Open the runner, with as many batch sizes as the memory takes."""
        while isinstance(found := self._open_or_refuse(), GpuMemoryError):
            if not self._reduce():
                break
        return _required(found)

    def _open_or_refuse(self) -> Runner | GpuMemoryError:
        """Open the runner and run one row, because an engine may load kernels at the first run."""
        row = np.zeros((1, *self._spec.input_shape), np.uint8)
        try:
            with self._heartbeats.opening(self._number), ExitStack() as stack:
                runner = stack.enter_context(self._engine.open(self._plan.path, self._spec))
                self._run(runner, [row])
                stack.pop_all()
                return runner
        except GpuMemoryError as error:
            return error.with_traceback(None)

    def _reduce(self) -> bool:
        """Leave out the largest batch size; return False if there is no other."""
        *rest, largest = self._spec.batches
        if rest:
            log.warning("memory.short: %s runs without batch %d", self._spec.name, largest)
            self._spec = msgspec.structs.replace(self._spec, batches=tuple(rest))
        return bool(rest)

    def _serve(self, runner: Runner, failed: list[QueuedRows]) -> list[QueuedRows]:
        """Run the `failed` requests one by one, and then batches.

        Return at the next failure, with the requests to run again. A request that fails alone gets
        an error, except if the runner needs less memory next time.
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
                log.exception("%s failed", self._spec.name)
                reduced = isinstance(error, GpuMemoryError) and self._reduce()
                if alone and not reduced:
                    requests[0].reply(Reply(error=sendable(str(error))))
                    return failed
                return failed + requests
            self._batcher.done()
            self._answer(requests, outputs, started)

    def _run(self, runner: Runner, parts: Sequence[Array]) -> dict[str, Array]:
        return runner.infer({self._spec.input_name: join_rows(runner, parts)})

    def _answer(
        self, requests: Sequence[QueuedRows], outputs: dict[str, Array], started: float
    ) -> None:
        """Send each request its part of the outputs."""
        ended, first = time.monotonic(), 0
        rows = sum(len(request.rows) for request in requests)
        for request in requests:
            last = first + len(request.rows)
            batch = Batch(self._spec.task, 0 if first else rows, requests[0].queued, started, ended)
            part = {name: array[first:last] for name, array in outputs.items()}
            request.reply(Reply(batch), part)
            first = last


def _required(found: Runner | GpuMemoryError) -> Runner:
    if isinstance(found, GpuMemoryError):
        raise found
    return found


def join_rows(runner: Runner, parts: Sequence[Array]) -> Array:
    """Join arrays (n, ...) into one batch (N, ...), in the runner's own memory if it has any."""
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    if isinstance(runner, InputBuffer):
        return np.concatenate(parts, out=runner.input_buffer(shape, parts[0].dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
