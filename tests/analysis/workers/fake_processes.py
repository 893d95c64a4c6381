"""Fake processes that a test moves step by step, and an event loop that it turns."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from analysis.errors import ServiceError
from analysis.types import Input, Result
from analysis.workers.job import Job
from analysis.workers.suspects import PATIENCE
from analysis.workers.types import Dispatcher, Group, Worker

Message = Callable[[], None]
DIED, HUNG = "died", "hung"


class Nature(Enum):
    """The effect of an image on the processes that analyze it."""

    FINE = "fine"
    RAISES = "an engine fails"
    KILLS_WORKER = "its worker dies"
    HANGS_WORKER = "its worker hangs"
    KILLS_DEVICE = "its device dies"
    HANGS_DEVICE = "its device hangs"


class State(Enum):
    """The state of a worker."""

    STARTING = "opens its networks"
    CONNECTING = "waits for the next device"
    IDLE = "waits for images"
    RECEIVED = "has images"
    CALLING = "waits for the device"
    RETURNED = "has the outputs of the device"
    DEAD = "has ended"


class Timer:
    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """An event loop that makes one call per turn."""

    def __init__(self) -> None:
        self._now, self._numbers = 0.0, itertools.count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        heapq.heappush(self._timers, (self._now + delay, next(self._numbers), callback))
        return Timer()

    def turn(self) -> None:
        """Make the next call."""
        if self._timers:
            self._now, _, callback = heapq.heappop(self._timers)
            callback()

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        raise NotImplementedError

    def remove_reader(self, fd: int) -> bool:
        raise NotImplementedError

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> object:
        raise NotImplementedError


@dataclass
class Image:
    """An image, its answers, and the ends of workers and devices that had it."""

    number: int
    nature: Nature
    answers: list[Result | ServiceError] = field(default_factory=list)
    sent: int = 0
    # One entry per end that the pool knows of: whether the image was the only one there.
    worker_ends: list[bool] = field(default_factory=list)
    device_ends: list[bool] = field(default_factory=list)
    # How often its worker noticed before it began that the device had ended.
    missed: int = 0
    # The device that it ended, or `homeless` if that device did not come back.
    suspect: "FakeDevice | None" = None
    homeless: bool = False
    job: Job | None = None

    @property
    def late(self) -> bool:
        return self.job is not None and self.job.deadline == 0

    @property
    def cancelled(self) -> bool:
        return self.job is not None and self.job.cancelled

    @property
    def may_fail(self) -> bool:
        """Whether it was in two ends of workers or of devices, and alone in the last one."""
        ends = (self.worker_ends, self.device_ends)
        return any(len(each) >= 2 and each[-1] for each in ends)


class Surroundings(Protocol):
    """The part of a `World` that its processes use."""

    images: list[Image]
    restarts: int
    stopped: bool
    # The worker that retries a suspect, by device.
    retrying: "dict[FakeDevice, FakeWorker]"

    def check_sent(self, worker: "FakeWorker", images: Sequence[Image]) -> None:
        """Check images that are sent to a worker."""

    def result(self, image: Image) -> Result:
        """Return the result of an analysis."""
        ...


class FakeDevice:
    """A device process; `life` counts its starts, and a `lost` one does not open."""

    def __init__(self, world: Surroundings) -> None:
        self.world = world
        self.outbox: deque[Message] = deque()
        self.life, self.up, self.hung, self.lost = 0, False, False, False
        self.absent = 0  # sweeps without a ready worker
        self.started = self.stopped = False
        self.reported = True  # whether the pool knows of its last end
        self.workers: list[FakeWorker] = []

    @property
    def alive(self) -> bool:
        return self.started and not self.stopped

    def start(self, pool: Dispatcher, group: Group) -> None:
        self.started = True
        self.pool, self.group = pool, group

    def open(self) -> None:
        """Accept workers."""
        self.life += 1
        self.up, self.hung, self.reported = True, False, False

    def end(self, reason: str = DIED) -> None:
        """End with all images that are on it."""
        if not self.up:
            return
        self.up = False
        on_it = [worker for worker in self.workers if worker.on(self)]
        for worker in on_it:
            alone = len(on_it) == 1 and len(worker.images) == 1
            worker.blamed = [(image, alone) for image in worker.images]
        self.outbox.append(lambda: self._report(reason))

    def lose(self) -> None:
        """End, and do not open any more."""
        self.end()
        self.lost = True

    def refuse(self) -> None:
        """End before it has opened."""
        self.reported = False
        self.outbox.append(lambda: self._report(DIED))

    def _report(self, reason: str) -> None:
        self.reported = True
        self.world.restarts += 1
        self.pool.device_ended(self.group, reason)

    def check(self, _: float, __: float | None) -> None:
        if self.hung and self.up:
            self.end(HUNG)
        self.absent = 0 if any(worker.ready for worker in self.workers) else self.absent + 1
        if self.absent >= PATIENCE:
            for image in self.world.images:
                if image.suspect is self:
                    image.suspect, image.homeless = None, True

    def stop(self) -> None:
        self.stopped = True
        self.up = False

    def kill(self) -> None:
        self.stop()


class FakeWorker:
    """A worker process."""

    def __init__(self, world: Surroundings, device: FakeDevice | None) -> None:
        self.world, self.device = world, device
        self.outbox: deque[Message] = deque()
        self.state, self.life, self.hung, self.stopping = State.STARTING, 0, False, False
        self.images: list[Image] = []
        # Images and whether each was alone, if the device ended while they were on it.
        self.blamed: list[tuple[Image, bool]] = []
        # As the pool knows it.
        self.ready = self.busy = False

    @property
    def alive(self) -> bool:
        return self.state is not State.DEAD

    def on(self, device: FakeDevice) -> bool:
        """Whether it has images on this device, in its present life."""
        working = self.state in {State.CALLING, State.RETURNED}
        return working and self.device is device and self.life == device.life

    @property
    def connected(self) -> bool:
        return self.device is None or (self.device.up and self.device.life == self.life)

    def start(self, pool: Dispatcher, worker: Worker) -> None:
        self.pool, self.worker = pool, worker

    def send(self, tasks: Sequence[Input]) -> bool:
        assert self.ready, "sent images before it was ready"
        assert not self.busy, "sent images twice"
        if self.state is State.DEAD:
            return False
        images = [self.world.images[int(bytes(task.source))] for task in tasks]
        self.world.check_sent(self, images)
        self.busy = True
        for image in images:
            image.sent += 1
        assert self.state is State.IDLE
        self.images, self.state = images, State.RECEIVED
        return True

    def reconnect(self) -> None:
        assert self.ready, "reconnected before it was ready"
        assert not self.busy, "reconnected while it has images"
        self.ready = False
        if self.state is not State.DEAD:
            assert self.state is State.IDLE
            self.state = State.CONNECTING

    def open(self) -> None:
        """Open the networks, or connect to the device."""
        if self.device is not None:
            self.life = self.device.life
        self.state = State.IDLE
        self.outbox.append(self._report_ready)

    def step(self) -> None:
        """Make the next step with the images."""
        natures = {image.nature for image in self.images}
        if self.hung:
            return
        match self.state:
            case State.RECEIVED if not self.connected:
                images, self.images = self.images, []
                self._lost([], images)
            case State.RECEIVED:
                if Nature.HANGS_WORKER in natures:
                    self.hung = True
                elif Nature.KILLS_WORKER in natures:
                    self.end()
                else:
                    self.state = State.RETURNED if self.device is None else State.CALLING
            case State.CALLING if self.device is not None:
                if not self.connected:
                    blamed, self.blamed, self.images = self.blamed, [], []
                    self._lost(blamed, [])
                elif Nature.KILLS_DEVICE in natures:
                    self.device.end()
                elif Nature.HANGS_DEVICE in natures:
                    self.device.hung = True
                elif not self.device.hung:
                    self.state = State.RETURNED
            case State.RETURNED:
                images, self.images, self.blamed = self.images, [], []
                self.state = State.IDLE
                self.outbox.append(lambda: self._report_answers(images))

    def _lost(self, blamed: list[tuple[Image, bool]], missed: list[Image]) -> None:
        self.state = State.IDLE
        self.outbox.append(lambda: self._report_lost(blamed, missed))

    def end(self, reason: str = DIED) -> None:
        """End with the images that are in it."""
        if self.state is State.DEAD:
            return
        images, self.images, self.blamed = self.images, [], []
        self.state, self.hung = State.DEAD, False
        self.outbox.append(lambda: self._report_end(images, reason))

    def check(self, _: float, busy_since: float | None) -> None:
        if self.hung and busy_since is not None:
            self.end(HUNG)

    def stop(self) -> None:
        """End after the next answer."""
        self.stopping = True

    def kill(self) -> None:
        self.end()

    def _report_ready(self) -> None:
        self.ready = True
        self.pool.became_ready(self.worker)

    def _report_answers(self, images: list[Image]) -> None:
        self._released()
        for image in images:
            image.suspect = None
        self.pool.answered(self.worker, [self.world.result(image) for image in images], [], 0)

    def _report_lost(self, blamed: list[tuple[Image, bool]], missed: list[Image]) -> None:
        self._released()
        for image, alone in blamed:
            image.device_ends.append(alone)
            image.suspect, image.homeless = self.device, False
        for image in missed:
            image.missed += 1
        self.pool.lost(self.worker, tried=bool(blamed))

    def _report_end(self, images: list[Image], reason: str) -> None:
        self._released()
        self.ready = False
        for image in images:
            image.worker_ends.append(len(images) == 1)
        if not self.world.stopped:
            self.state = State.STARTING
            self.world.restarts += 1
        self.pool.ended(self.worker, reason)

    def _released(self) -> None:
        self.busy = False
        if self.device is not None and self.world.retrying.get(self.device) is self:
            del self.world.retrying[self.device]
