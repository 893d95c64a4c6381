"""The parts of a pool: workers, the devices that they share, and handles to their processes."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from analysis.timing import Batch
from analysis.types import Input, Result
from analysis.workers.job import Job


class Timer(Protocol):
    """A call in the future."""

    def cancel(self) -> None:
        """Cancel the call."""


class Loop(Protocol):
    """The part of an event loop that a pool needs; asyncio's has it."""

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever a descriptor can be read."""

    def remove_reader(self, fd: int) -> bool:
        """Stop calling back."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back once after `delay` seconds."""

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> object:
        """Call back soon; may be called from any thread."""


class Dispatcher(Protocol):
    """The calls that handles make to their pool, all in the thread of `loop`."""

    loop: Loop

    def became_ready(self, worker: "Worker") -> None:
        """The networks of a worker are open."""

    def answered(
        self, worker: "Worker", results: Sequence[Result], batches: Sequence[Batch], failures: int
    ) -> None:
        """A worker has analyzed its images; `failures` of its networks were opened again."""

    def lost(self, worker: "Worker", *, tried: bool) -> None:
        """The device of a worker ended; `tried` if the worker had begun to analyze its images."""

    def ended(self, worker: "Worker", reason: str) -> None:
        """A worker ended."""

    def device_ended(self, group: "Group", reason: str) -> None:
        """A device ended."""


class Handle(Protocol):
    """Controls a process or thread of the pool."""

    @property
    def alive(self) -> bool:
        """Whether the process or thread runs."""
        ...

    def check(self, limit_s: float, busy_since: float | None) -> None:
        """Kill it if a step takes longer than `limit_s` seconds; see `Worker.busy_since`."""

    def stop(self) -> None:
        """Request its end, and do not replace it."""

    def kill(self) -> None:
        """End it at once."""


class WorkerHandle(Handle, Protocol):
    """Controls a worker, which analyzes some images at a time."""

    def start(self, pool: Dispatcher, worker: "Worker") -> None:
        """Start; `Dispatcher.became_ready` is called when the networks are open."""

    def send(self, inputs: Sequence[Input]) -> bool:
        """Send images; `Dispatcher.answered`, `lost` or `ended` is called.

        Return False if the worker has ended and does not have the images; `Dispatcher.ended` is
        called in this case, too.
        """
        ...

    def reconnect(self) -> None:
        """Connect to the successor of the device that ended; then `became_ready` is called."""


class DeviceHandle(Handle, Protocol):
    """Controls a device process, which runs the networks of several workers."""

    def start(self, pool: Dispatcher, group: "Group") -> None:
        """Start; `Dispatcher.device_ended` is called when it ends."""


@dataclass(slots=True, eq=False)
class Worker:
    """A worker as the pool sees it, and the images that it has.

    `stale` is set if its device ended while it had images: the worker must reconnect before it
    gets others.
    """

    handle: WorkerHandle
    group: "Group"
    ready: bool = False
    jobs: list[Job] = field(default_factory=list)
    sent: float = 0.0
    stale: bool = False

    @property
    def busy_since(self) -> float | None:
        """When its current images were sent, or None if it is idle."""
        return self.sent if self.jobs else None


@dataclass(slots=True, eq=False)
class Group:
    """The workers that share a device, or one worker without a device.

    `suspects` are images that were on this device, or on one that did not come back, when it ended.
    They run here one at a time, and no other image runs meanwhile; `retrying` is the worker that
    has one of them. `absent` is the number of sweeps since a worker was ready.
    """

    device: DeviceHandle | None = None
    workers: list[Worker] = field(default_factory=list)
    suspects: deque[Job] = field(default_factory=deque)
    retrying: Worker | None = None
    absent: int = 0

    @property
    def ready(self) -> bool:
        """Whether a worker can analyze images."""
        return any(worker.ready for worker in self.workers)

    @property
    def available(self) -> bool:
        """Whether images that are not suspects may run here."""
        return not self.suspects and self.retrying is None

    @property
    def idle(self) -> bool:
        """Whether no image runs here."""
        return not any(worker.jobs for worker in self.workers)
