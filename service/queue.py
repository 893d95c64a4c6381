"""The items that wait for a network, and how they are dealt out. Its owner holds the lock."""

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from service.errors import DeadlineExceeded
from service.jobs import Job, settle
from service.record import Observer

T = TypeVar("T")
R = TypeVar("R")


class Queue(Generic[T, R]):
    """Waiting jobs in their order, those that are to run again first."""

    def __init__(self, capacity: int, observers: Sequence[Observer]) -> None:
        self._capacity = capacity
        self._observers = observers
        self._jobs: deque[Job[T, R]] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def has_room(self, jobs: int) -> bool:
        """Whether so many may wait; any number may where none does."""
        return not self._jobs or len(self._jobs) + jobs <= self._capacity

    def add(self, jobs: Sequence[Job[T, R]]) -> None:
        """Put jobs at the end."""
        self._jobs.extend(jobs)

    def put_back(self, jobs: Sequence[Job[T, R]]) -> None:
        """Put jobs at the front, in their order."""
        self._jobs.extendleft(reversed(jobs))

    def share(self, takers: int, largest: int) -> list[Job[T, R]]:
        """Take an even share for one of so many, up to the largest batch."""
        count = min(largest, math.ceil(len(self._jobs) / takers))
        batch: list[Job[T, R]] = []
        while len(batch) < count and not (batch and self._jobs[0].alone):
            batch.append(self._jobs.popleft())
            if batch[0].alone:
                break
        return batch

    def drop_dead(self) -> None:
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
            settle([(job, DeadlineExceeded("no result before the deadline"))])

    def take_all(self) -> list[Job[T, R]]:
        """Take what is left."""
        left = list(self._jobs)
        self._jobs.clear()
        return left
