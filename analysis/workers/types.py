"""What a pool is made of: images that wait, workers, devices, and observers."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from analysis.analyze import Result, Task
from analysis.errors import InferenceFailed, ServiceError, ShuttingDown
from analysis.timing import Batch

if TYPE_CHECKING:
    from analysis.workers.pool import Pool

log = logging.getLogger("emotions.pool")
Done = Callable[[Result | ServiceError], None]


@dataclass(slots=True, eq=False)
class Job:
    """One image. `alone` after a worker ended with it: it is sent with no other image.

    `suspect` after a device ended with it: it runs on that device while no other image does.
    `owner` is whatever the observers know it by.
    """

    task: Task
    deadline: float
    done: Done
    owner: object = None
    queued: float = field(default_factory=time.monotonic)
    alone: bool = False
    suspect: bool = False
    cancelled: bool = False

    def finish(self, outcome: Result | ServiceError) -> None:
        """Answer, unless nobody waits any more."""
        if not self.cancelled:
            self.done(outcome)

    def fail(self) -> None:
        """Answer that no engine can analyze this image."""
        self.finish(InferenceFailed("the engine failed on this image"))

    def reject(self) -> None:
        """Answer that no worker will analyze this image."""
        self.finish(ShuttingDown("the service is stopping; send the request again"))


class Observer:
    """Is called of what a pool does; this one does nothing."""

    def ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:
        """Networks have run batches for the images of these owners."""

    def failed(self, networks: int) -> None:
        """Networks failed and were opened anew."""

    def restarted(self, reason: str) -> None:
        """A process died or hung and is replaced."""

    def dropped(self, reason: Literal["late", "gone"], images: int) -> None:
        """Images left the queue past their deadline, or because their client hung up."""


class Observers:
    """Calls several observers; what one of them raises is logged and ends nothing."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def __call__(self, call: Callable[[Observer], None]) -> None:
        """Have `call` call each of them."""
        for observer in self._observers:
            try:
                call(observer)
            except Exception:
                log.exception("an observer failed")


class Member(Protocol):
    """A process or thread of the pool."""

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        ...

    def check(self, limit_s: float, busy_since: float | None) -> None:
        """End it if a step takes longer than `limit_s`; see `Seat.busy_since`."""

    def stop(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


class Worker(Member, Protocol):
    """Analyzes some images at a time; calls the pool's `ready`, `answered`, `lost` and `ended`."""

    def start(self, pool: "Pool", seat: "Seat") -> None:
        """Start; `Pool.became_ready` is called when the networks are open."""

    def send(self, tasks: Sequence[Task]) -> bool:
        """Analyze images; `Pool.answered`, `lost` or `ended` is called.

        False if the worker has ended and does not have them; `Pool.ended` is called anyhow.
        """
        ...

    def reconnect(self) -> None:
        """Connect to the device that follows the one that ended; then as `start`."""


class Device(Member, Protocol):
    """A process that several workers depend on."""

    def start(self, pool: "Pool", group: "Group") -> None:
        """Start; `Pool.device_ended` is called when it ends."""


@dataclass(slots=True, eq=False)
class Seat:
    """A worker in the pool, and the images that it has.

    `stale` if its device has ended since it was sent them: it is to reconnect before the next.
    """

    worker: Worker
    group: "Group"
    ready: bool = False
    jobs: list[Job] = field(default_factory=list)
    sent: float = 0.0
    stale: bool = False

    @property
    def busy_since(self) -> float | None:
        """When it was sent images, if it has not answered."""
        return self.sent if self.jobs else None


@dataclass(slots=True, eq=False)
class Group:
    """Workers that share a device. Images that were on it when it ended run there one at a time."""

    device: Device | None = None
    seats: list[Seat] = field(default_factory=list)
    suspects: deque[Job] = field(default_factory=deque)
    trial: Seat | None = None

    @property
    def open(self) -> bool:
        """Whether any image may run here."""
        return not self.suspects and self.trial is None

    @property
    def quiet(self) -> bool:
        """Whether no image runs here."""
        return not any(seat.jobs for seat in self.seats)
