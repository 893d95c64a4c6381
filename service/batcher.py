"""The one queue in front of a network: bounded, work-conserving, deadline-aware.

An idle worker takes what is queued at once, nothing waits for a window; while all are busy the
queue grows into the next batch.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

import structlog

from engines.errors import EngineError, RunnerInterrupted
from service.errors import InferenceFailed, Overloaded, ServiceError, ShuttingDown
from service.jobs import Job, settle
from service.quarantine import Quarantine
from service.queue import Queue
from service.record import Batch, Observer

T = TypeVar("T")
R = TypeVar("R")
Run = Callable[[list[T]], Sequence[R]]

log = structlog.get_logger("emotions.batcher")
# The longest wait before a runner that could not be opened is tried again.
LONGEST_DELAY_S = 5.0


class Batcher(Generic[T, R]):
    """Runs items of all callers in shared batches on `workers` threads.

    `open_run` is entered in each worker's own thread and gives the function that runs a batch; it
    is entered anew after that function has raised, and after `renew`. A batch that failed is run
    again item by item, so that one bad item does not take the others with it; what may have killed
    a process that runs the batches of several batchers goes through their common `quarantine`.
    What waits is shared out evenly among the workers that are idle, or as if among `takers`.
    """

    def __init__(
        self,
        name: str,
        open_run: Callable[[], AbstractContextManager[Run[T, R]]],
        *,
        workers: int,
        max_batch: int,
        capacity: int,
        takers: int | None = None,
        observers: Sequence[Observer] = (),
        quarantine: Quarantine | None = None,
        reopen_delay: float = 0.2,
    ) -> None:
        self.name = name
        self._open_run = open_run
        self._max_batch, self._takers = max_batch, takers
        self._observers = observers
        self._quarantine = quarantine or Quarantine()
        self._reopen_delay = reopen_delay
        self._jobs: Queue[T, R] = Queue(capacity, observers)
        self._changed = threading.Condition()
        # An event of its own: who waits to open a runner must not be woken for another's job.
        self._closed = threading.Event()
        self._idle = 0
        self._open = 0
        self._generation = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True)
            for i in range(workers)
        ]

    @property
    def ready(self) -> bool:
        """Whether every worker has its runner open."""
        return self._open == len(self._threads) and not self._closed.is_set()

    @property
    def queued(self) -> int:
        """Items that wait for a worker."""
        return len(self._jobs)

    def start(self) -> None:
        """Start the workers; each opens its runner."""
        for thread in self._threads:
            thread.start()

    def renew(self) -> None:
        """Have each worker open its runner anew, when it is idle or its batch has ended."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Finish what was accepted, then stop the workers. Blocks until they have ended."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        settle([(job, _stopping()) for job in self._jobs.take_all()])

    async def submit(self, item: T, deadline: float) -> R:
        """Run one item; see `submit_all`."""
        return (await self.submit_all([item], deadline))[0]

    async def submit_all(self, items: Sequence[T], deadline: float) -> list[R]:
        """Run items, in as few batches as the load allows; results in their order.

        `deadline` is on `time.monotonic`'s clock.

        Raises:
            Overloaded: the queue has no room for them; none was queued.
            DeadlineExceeded: their turn came too late; they cost no batch.
            InferenceFailed: the runner failed on one of them.
            ShuttingDown: the batcher is closed.
        """
        loop = asyncio.get_running_loop()
        jobs: list[Job[T, R]] = [Job(item, deadline, loop.create_future()) for item in items]
        self._enqueue(jobs)
        try:
            return list(await asyncio.gather(*(job.future for job in jobs)))
        finally:
            for job in jobs:
                job.future.cancel()

    def _enqueue(self, jobs: list[Job[T, R]]) -> None:
        with self._changed:
            if self._closed.is_set():
                raise _stopping()
            if not self._jobs.has_room(len(jobs)):
                raise Overloaded(f"the {self.name} queue is full; send the request again later")
            self._jobs.add(jobs)
            self._changed.notify(len(jobs))

    def _work(self) -> None:
        failures = 0
        while self._wanted(failures):
            generation = self._generation
            failures += 1
            try:
                with self._open_run() as run:
                    failures = 0
                    self._count_open(1)
                    try:
                        self._serve(run, generation)
                    finally:
                        self._count_open(-1)
            except Exception as error:
                self._failed(error)
                self._pause(failures)

    def _wanted(self, failures: int) -> bool:
        """Until closed and drained, or closed and unable to open a runner for what is left."""
        with self._changed:
            return not self._closed.is_set() or (bool(self._jobs) and not failures)

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, EngineError)
        log.error("worker.failed", network=self.name, error=str(error), exc_info=not known)
        for observer in self._observers:
            observer.failed()

    def _pause(self, failures: int) -> None:
        delay = min(LONGEST_DELAY_S, self._reopen_delay * 2.0 ** min(failures, 16))
        self._closed.wait(delay)

    def _count_open(self, change: int) -> None:
        with self._changed:
            self._open += change

    def _serve(self, run: Run[T, R], generation: int) -> None:
        while batch := self._take(generation):
            try:
                with self._quarantine.entered(batch[0].suspect):
                    self._check(generation)
                    started = time.monotonic()
                    results = run([job.item for job in batch])
                outcomes: list[tuple[Job[T, R], R | ServiceError]]
                outcomes = list(zip(batch, results, strict=True))
            except Exception as error:
                self._give_back(batch, error)
                raise
            try:  # before the callers go on: what they cost is to be in their records
                self._observe(batch, started)
            finally:
                settle(outcomes)

    def _check(self, generation: int) -> None:
        """Do not start on a runner that was to be renewed while its batch waited to be let in."""
        if self._generation != generation:
            raise RunnerInterrupted("the runner is to be opened anew")

    def _observe(self, batch: list[Job[T, R]], started: float) -> None:
        waiting = {job.record: job.queued for job in reversed(batch) if job.record is not None}
        ran = Batch(len(batch), waiting, batch[0].queued, started, time.monotonic())
        for observer in self._observers:
            observer.ran(ran)

    def _take(self, generation: int) -> list[Job[T, R]]:
        """Wait for jobs and take this worker's share; none when drained or to be renewed."""
        with self._changed:
            self._idle += 1
            try:
                while True:
                    if self._generation != generation:
                        return []
                    self._jobs.drop_dead()
                    if self._jobs or self._closed.is_set():
                        return self._jobs.share(self._takers or self._idle, self._max_batch)
                    self._changed.wait()
            finally:
                self._idle -= 1

    def _give_back(self, batch: list[Job[T, R]], error: Exception) -> None:
        """After a failure: run again one by one what may be run again, and fail the rest."""
        lone = len(batch) == 1
        again = [job for job in batch if job.may_run_again(error, lone)]
        with self._changed:
            self._jobs.put_back(again)
            self._changed.notify_all()
        failure = InferenceFailed(f"the {self.name} failed on this image")
        settle([(job, failure) for job in batch if job not in again])


def _stopping() -> ShuttingDown:
    return ShuttingDown("the service is stopping; send the request again")
