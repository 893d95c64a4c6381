"""An item that waits for its result, what a failure means for it, and how it is answered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engines.errors import RunnerHung, RunnerInterrupted, RunnerLost
from service.errors import ServiceError
from service.record import Record, current

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Job(Generic[T, R]):
    """One item. `alone` asks for a batch of its own, `suspect` for a worker of its own."""

    item: T
    deadline: float
    future: "asyncio.Future[R]"
    queued: float = field(default_factory=time.monotonic)
    record: Record | None = field(default_factory=current)
    alone: bool = False
    suspect: bool = False
    hung: bool = False

    def may_run_again(self, error: Exception, lone: bool) -> bool:
        """Whether it is run again after its batch failed; `lone` if it was the whole batch.

        What fails by itself is not, nor what kills or hangs the worker twice, by itself the second
        time: no item can do that for ever, and none fails for what another did.
        """
        match error:
            case RunnerInterrupted():
                return True
            case RunnerLost():
                again, self.suspect = not self.suspect, True
            case RunnerHung():
                again, self.hung = not self.hung, True
            case _:
                again = not lone
        self.alone = True
        return again


def settle(outcomes: "Sequence[tuple[Job[T, R], R | ServiceError]]") -> None:
    """Hand results to the callers, with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job[T, R], R | ServiceError]]] = {}
    for job, outcome in outcomes:
        by_loop.setdefault(job.future.get_loop(), []).append((job, outcome))
    for loop, group in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(outcomes: "list[tuple[Job[T, R], R | ServiceError]]") -> None:
    for job, outcome in outcomes:
        if job.future.done():
            continue
        if isinstance(outcome, ServiceError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
