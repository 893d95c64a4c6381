"""What a pool is made of: images that wait, workers, devices, and observers."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from analysis.analyze import Result, Task
from analysis.errors import InferenceError, ServiceError, ShuttingDownError
from analysis.timing import Batch

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
        self.finish(InferenceError("the engine failed on this image"))

    def reject(self) -> None:
        """Answer that no worker will analyze this image."""
        self.finish(ShuttingDownError("the service is stopping; send the request again"))


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


class Timer(Protocol):
    """A call in the future."""

    def cancel(self) -> None:
        """Do not make the call."""


class Loop(Protocol):
    """What is needed of an event loop; asyncio's has it."""

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever a descriptor can be read."""

    def remove_reader(self, fd: int) -> bool:
        """Do not call back any more."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back once after some seconds."""

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> object:
        """Call back soon; may be called from any thread."""


class Dispatcher(Protocol):
    """What workers and devices report to: the pool. All calls are made in `loop`."""

    loop: Loop

    def became_ready(self, seat: "Seat") -> None:
        """The networks of a worker are open."""

    def answered(
        self, seat: "Seat", results: Sequence[Result], batches: Sequence[Batch], failures: int
    ) -> None:
        """A worker has analyzed its images; `failures` of its networks were opened anew."""

    def lost(self, seat: "Seat", *, tried: bool) -> None:
        """The device of a worker ended with its images; `tried` if they had reached it."""

    def ended(self, seat: "Seat", reason: str) -> None:
        """A worker ended."""

    def device_ended(self, group: "Group", reason: str) -> None:
        """A device ended."""


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

    def start(self, pool: Dispatcher, seat: "Seat") -> None:
        """Start; `Dispatcher.became_ready` is called when the networks are open."""

    def send(self, tasks: Sequence[Task]) -> bool:
        """Analyze images; `Dispatcher.answered`, `lost` or `ended` is called.

        False if the worker has ended and does not have them; `Dispatcher.ended` is called anyhow.
        """
        ...

    def reconnect(self) -> None:
        """Connect to the device that follows the one that ended; then as `start`."""


class Device(Member, Protocol):
    """A process that several workers depend on."""

    def start(self, pool: Dispatcher, group: "Group") -> None:
        """Start; `Dispatcher.device_ended` is called when it ends."""


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
