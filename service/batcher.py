"""The one queue in front of a network: bounded, work-conserving, deadline-aware.

An idle worker takes what is queued at once, nothing waits for a window; while all are busy the
queue grows into the next batch.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from service.errors import DeadlineExceeded, InferenceFailed, Overloaded, ServiceError, ShuttingDown
from service.record import Batch, Observer, Record, current

T = TypeVar("T")
R = TypeVar("R")
Run = Callable[[list[T]], Sequence[R]]

log = structlog.get_logger("emotions.batcher")


@dataclass(slots=True, eq=False)
class _Job(Generic[T, R]):
    item: T
    deadline: float
    future: "asyncio.Future[R]"
    queued: float = field(default_factory=time.monotonic)
    alone: bool = False
    record: Record | None = field(default_factory=current)


class Batcher(Generic[T, R]):
    """Runs items of all callers in shared batches on `workers` threads.

    `open_run` is entered in each worker's own thread and gives the function that runs a batch; it
    is entered anew after that function has raised. A batch that failed is run again item by item,
    so that one bad item does not take the others with it.
    """

    def __init__(
        self,
        name: str,
        open_run: Callable[[], AbstractContextManager[Run[T, R]]],
        *,
        workers: int,
        max_batch: int,
        capacity: int,
        observers: Sequence[Observer] = (),
        reopen_delay: float = 0.2,
    ) -> None:
        self.name = name
        self._open_run = open_run
        self._max_batch = max_batch
        self._capacity = capacity
        self._observers = observers
        self._reopen_delay = reopen_delay
        self._jobs: deque[_Job[T, R]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._idle = 0
        self._open = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True)
            for i in range(workers)
        ]

    @property
    def ready(self) -> bool:
        """Whether every worker has its runner open."""
        return self._open == len(self._threads) and not self._closed

    @property
    def queued(self) -> int:
        """Items that wait for a worker."""
        return len(self._jobs)

    def start(self) -> None:
        """Start the workers; each opens its runner."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish what was accepted, then stop the workers. Blocks until they have ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        for job in self._jobs:
            _settle([(job, _stopping())])
        self._jobs.clear()

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
        jobs: list[_Job[T, R]] = [_Job(item, deadline, loop.create_future()) for item in items]
        self._enqueue(jobs)
        try:
            return list(await asyncio.gather(*(job.future for job in jobs)))
        finally:
            for job in jobs:
                job.future.cancel()

    def _enqueue(self, jobs: list[_Job[T, R]]) -> None:
        with self._changed:
            if self._closed:
                raise _stopping()
            if self._jobs and len(self._jobs) + len(jobs) > self._capacity:
                raise Overloaded(f"the {self.name} queue is full; send the request again later")
            self._jobs.extend(jobs)
            self._changed.notify(len(jobs))

    def _work(self) -> None:
        while not self._finished():
            try:
                with self._open_run() as run:
                    self._count_open(1)
                    try:
                        self._serve(run)
                    finally:
                        self._count_open(-1)
            except Exception:
                log.exception("worker.failed", network=self.name)
                for observer in self._observers:
                    observer.failed()
                time.sleep(self._reopen_delay)

    def _finished(self) -> bool:
        with self._changed:
            return self._closed and (not self._jobs or self._open == 0)

    def _count_open(self, change: int) -> None:
        with self._changed:
            self._open += change

    def _serve(self, run: Run[T, R]) -> None:
        while batch := self._take():
            started = time.monotonic()
            try:
                results = run([job.item for job in batch])
                outcomes: list[tuple[_Job[T, R], R | ServiceError]]
                outcomes = list(zip(batch, results, strict=True))
            except Exception:
                self._give_back(batch)
                raise
            try:  # before the callers go on: what they cost is to be in their records
                self._observe(batch, started)
            finally:
                _settle(outcomes)

    def _observe(self, batch: list[_Job[T, R]], started: float) -> None:
        waiting = {job.record: job.queued for job in reversed(batch) if job.record is not None}
        ran = Batch(len(batch), waiting, batch[0].queued, started, time.monotonic())
        for observer in self._observers:
            observer.ran(ran)

    def _take(self) -> list[_Job[T, R]]:
        """Wait for jobs and take this worker's share; none when closed and drained."""
        with self._changed:
            self._idle += 1
            try:
                while True:
                    self._drop_dead()
                    if self._jobs or self._closed:
                        return self._share()
                    self._changed.wait()
            finally:
                self._idle -= 1

    def _share(self) -> list[_Job[T, R]]:
        """An even share for each idle worker, up to the largest batch."""
        count = min(self._max_batch, math.ceil(len(self._jobs) / self._idle))
        batch: list[_Job[T, R]] = []
        while len(batch) < count and not (batch and self._jobs[0].alone):
            batch.append(self._jobs.popleft())
            if batch[0].alone:
                break
        return batch

    def _drop_dead(self) -> None:
        """Take out what nobody waits for and what is too late: neither may cost a batch."""
        now = time.monotonic()
        late = [job for job in self._jobs if job.deadline < now]
        gone = [job for job in self._jobs if job.deadline >= now and job.future.cancelled()]
        if not late and not gone:
            return
        self._jobs = deque(
            job for job in self._jobs if job.deadline >= now and not job.future.cancelled()
        )
        for observer in self._observers:
            observer.dropped("late", len(late))
            observer.dropped("gone", len(gone))
        for job in late:
            _settle([(job, DeadlineExceeded("no result before the deadline"))])

    def _give_back(self, batch: list[_Job[T, R]]) -> None:
        """After a failure: fail a job that was alone, run the others again one by one."""
        if len(batch) == 1:
            failure = InferenceFailed(f"the {self.name} failed on this image")
            _settle([(batch[0], failure)])
            return
        with self._changed:
            for job in reversed(batch):
                job.alone = True
                self._jobs.appendleft(job)
            self._changed.notify_all()


def _stopping() -> ShuttingDown:
    return ShuttingDown("the service is stopping; send the request again")


def _settle(outcomes: Sequence[tuple[_Job[T, R], R | ServiceError]]) -> None:
    """Hand results to the callers, with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job[T, R], R | ServiceError]]] = {}
    for job, outcome in outcomes:
        by_loop.setdefault(job.future.get_loop(), []).append((job, outcome))
    for loop, group in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(outcomes: list[tuple[_Job[T, R], R | ServiceError]]) -> None:
    for job, outcome in outcomes:
        if job.future.done():
            continue
        if isinstance(outcome, ServiceError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
