"""Workers and devices that a test moves step by step, and an event loop that it turns.

What a process sends arrives when the test delivers it, in order for each process and in any order
across processes, as over sockets.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from analysis.analyze import Result, Task
from analysis.errors import DeadlineExceededError, InferenceError, ServiceError, ShuttingDownError
from analysis.image import NOTHING
from analysis.types import Analysis, Options
from analysis.workers.pool import Pool
from analysis.workers.types import Dispatcher, Group, Job, Observer, Seat

Message = Callable[[], None]
DIED, HUNG = "died", "hung"
ALWAYS = 1e12


class Nature(Enum):
    """What an image does to those that analyze it."""

    FINE = "fine"
    RAISES = "an engine fails"
    KILLS_WORKER = "its worker dies"
    HANGS_WORKER = "its worker hangs"
    KILLS_DEVICE = "its device dies"
    HANGS_DEVICE = "its device hangs"


class State(Enum):
    """How far a worker is with its images."""

    STARTING = "opens its networks"
    CONNECTING = "waits for the next device"
    IDLE = "waits for images"
    RECEIVED = "has images"
    CALLING = "waits for the device"
    RETURNED = "has what it needs of the device"
    DEAD = "has ended"


class Timer:
    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Calls back when it is turned."""

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
    """An image, what became of it, and what ended while it was there: with others, or alone."""

    number: int
    nature: Nature
    answers: list[Result | ServiceError] = field(default_factory=list)
    sent: int = 0
    # Whether it was the only one, for each end that it was in; those that the pool knows of.
    worker_ends: list[bool] = field(default_factory=list)
    device_ends: list[bool] = field(default_factory=list)
    # How often its worker found that the device was gone before it began.
    missed: int = 0
    suspect: "FakeDevice | None" = None
    job: Job | None = None

    @property
    def late(self) -> bool:
        return self.job is not None and self.job.deadline == 0

    @property
    def cancelled(self) -> bool:
        return self.job is not None and self.job.cancelled

    @property
    def may_fail(self) -> bool:
        """Whether a worker or a device ended twice with it, the last time with it alone."""
        ends = (self.worker_ends, self.device_ends)
        return any(len(each) >= 2 and each[-1] for each in ends)


class FakeDevice:
    """A device process; its lives are counted."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.outbox: deque[Message] = deque()
        self.life, self.up, self.hung = 0, False, False
        self.started = self.stopped = False
        self.reported = True  # its last end
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
        """End with all that is on it."""
        if not self.up:
            return
        self.up = False
        on_it = [worker for worker in self.workers if worker.on(self)]
        for worker in on_it:
            alone = len(on_it) == 1 and len(worker.images) == 1
            worker.blamed = [(image, alone) for image in worker.images]
        self.outbox.append(lambda: self._report(reason))

    def _report(self, reason: str) -> None:
        self.reported = True
        self.world.restarts += 1
        self.pool.device_ended(self.group, reason)

    def check(self, _: float, __: float | None) -> None:
        if self.hung and self.up:
            self.end(HUNG)

    def stop(self) -> None:
        self.stopped = True
        self.up = False

    def kill(self) -> None:
        self.stop()


class FakeWorker:
    """A worker process."""

    def __init__(self, world: "World", device: FakeDevice | None) -> None:
        self.world, self.device = world, device
        self.outbox: deque[Message] = deque()
        self.state, self.life, self.hung, self.stopping = State.STARTING, 0, False, False
        self.images: list[Image] = []
        # Images and whether each was alone, if the device ended while they were on it.
        self.blamed: list[tuple[Image, bool]] = []
        # What the pool knows.
        self.ready = self.busy = False

    @property
    def alive(self) -> bool:
        return self.state is not State.DEAD

    def on(self, device: FakeDevice) -> bool:
        """Whether it has images that it analyzes on this device in its present life."""
        working = self.state in {State.CALLING, State.RETURNED}
        return working and self.device is device and self.life == device.life

    @property
    def connected(self) -> bool:
        return self.device is None or (self.device.up and self.device.life == self.life)

    def start(self, pool: Dispatcher, seat: Seat) -> None:
        self.pool, self.seat = pool, seat

    def send(self, tasks: Sequence[Task]) -> bool:
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
        assert self.ready, "told to reconnect before it was ready"
        assert not self.busy, "told to reconnect while it has images"
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
        """Go one step on with the images."""
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
        """End once it has answered."""
        self.stopping = True

    def kill(self) -> None:
        self.end()

    def _report_ready(self) -> None:
        self.ready = True
        self.pool.became_ready(self.seat)

    def _report_answers(self, images: list[Image]) -> None:
        self._released()
        for image in images:
            image.suspect = None
        self.pool.answered(self.seat, [self.world.result(image) for image in images], [], 0)

    def _report_lost(self, blamed: list[tuple[Image, bool]], missed: list[Image]) -> None:
        self._released()
        for image, alone in blamed:
            image.device_ends.append(alone)
            image.suspect = self.device
        for image in missed:
            image.missed += 1
        self.pool.lost(self.seat, tried=bool(blamed))

    def _report_end(self, images: list[Image], reason: str) -> None:
        self._released()
        self.ready = False
        for image in images:
            image.worker_ends.append(len(images) == 1)
        if not self.world.stopped:
            self.state = State.STARTING
            self.world.restarts += 1
        self.pool.ended(self.seat, reason)

    def _released(self) -> None:
        self.busy = False
        if self.device is not None and self.world.trials.get(self.device) is self:
            del self.world.trials[self.device]


class Raising(Observer):
    """An observer that is broken."""

    def ran(self, *_: object) -> None:
        raise ValueError("this observer is broken")

    def failed(self, networks: int) -> None:
        raise ValueError(networks)

    def restarted(self, reason: str) -> None:
        raise ValueError(reason)

    def dropped(self, reason: str, images: int) -> None:
        raise ValueError(reason, images)


class Counting(Observer):
    """Counts what a broken observer before it has not kept from it."""

    def __init__(self) -> None:
        self.restarts = 0
        self.owners: list[object] = []
        self.gone = {"late": 0, "gone": 0}

    def ran(self, _: object, owners: Sequence[object]) -> None:
        self.owners += owners

    def restarted(self, reason: str) -> None:
        assert reason in {DIED, HUNG}
        self.restarts += 1

    def dropped(self, reason: str, images: int) -> None:
        self.gone[reason] += images


class World:
    """A pool with its workers, devices and images."""

    def __init__(
        self,
        devices: Sequence[int],
        alone: int = 0,
        together: int = 4,
        takers: int | None = None,
    ) -> None:
        """Have as many workers per device as `devices` says, and some `alone` without one."""
        self.images: list[Image] = []
        self.restarts = 0
        self.trials: dict[FakeDevice, FakeWorker] = {}
        self.stopped = False
        self.loop, self.counting = FakeLoop(), Counting()
        groups = [self._group(count, FakeDevice(self)) for count in devices]
        groups += [self._group(1, None) for _ in range(alone)]
        self.together = together
        self.devices = [group.device for group in groups if isinstance(group.device, FakeDevice)]
        self.workers = [
            seat.worker
            for group in groups
            for seat in group.seats
            if isinstance(seat.worker, FakeWorker)
        ]
        observers = [Raising(), self.counting]
        self.pool = Pool(groups, together=together, takers=takers, limit_s=1, observers=observers)
        self.pool.start(self.loop)

    def _group(self, workers: int, device: FakeDevice | None) -> Group:
        group = Group(device)
        made = [FakeWorker(self, device) for _ in range(workers)]
        if device is not None:
            device.workers = made
        group.seats = [Seat(worker, group) for worker in made]
        return group

    def submit(self, nature: Nature = Nature.FINE, deadline: float = ALWAYS) -> Image:
        image = Image(len(self.images), nature)
        self.images.append(image)
        task = Task(str(image.number).encode(), Options())
        image.job = self.pool.submit(task, deadline, image.answers.append, owner=image)
        return image

    def result(self, image: Image) -> Result:
        if image.nature is Nature.RAISES:
            return Result(InferenceError("the engine failed on this image"), [])
        scores = np.zeros((0, 7), np.float32)
        return Result(Analysis(image.number, 1, NOTHING, scores), [])

    # What may happen next.

    def openable(self) -> list[FakeDevice | FakeWorker]:
        """Processes that may become ready."""
        if self.stopped:
            return []
        return [
            *(each for each in self.devices if not each.up and each.reported),
            *(
                each
                for each in self.workers
                if each.state in {State.STARTING, State.CONNECTING}
                and (each.device is None or each.device.up)
            ),
        ]

    def senders(self) -> list[FakeDevice | FakeWorker]:
        """Processes that have sent something."""
        senders: list[FakeDevice | FakeWorker] = [*self.devices, *self.workers]
        return [each for each in senders if each.outbox]

    def movable(self) -> list[FakeWorker]:
        """Workers that have images and can go on with them."""
        return [each for each in self.workers if each.images and not self.waits(each)]

    def settle(self) -> None:
        """Let everything come to rest: no process ends but by what the images do."""
        for _ in range(200 + 200 * len(self.images)):
            if senders := self.senders():
                senders[0].outbox.popleft()()
            elif openable := self.openable():
                openable[0].open()
            elif movable := self.movable():
                movable[0].step()
            elif self.stopped and any(each.alive for each in self.workers):
                self.end_stopped()
            elif not self.stopped and self.unanswered():
                self.loop.turn()
            else:
                return
            self.check()
        raise AssertionError("it does not come to rest")

    def end_stopped(self) -> None:
        """After `stop`, end the workers that have answered; if all others hang, those, too."""
        idle = [each for each in self.workers if each.alive and not each.images]
        for worker in idle:
            worker.end()
        if not idle:
            self.pool.kill()

    def waits(self, worker: FakeWorker) -> bool:
        """Whether it hangs, or its device does."""
        calling = worker.state is State.CALLING and worker.connected
        return worker.hung or (calling and worker.device is not None and worker.device.hung)

    def stop(self) -> None:
        self.stopped = True
        self.pool.stop()

    # What must hold.

    def unanswered(self) -> list[Image]:
        return [image for image in self.images if not image.answers and not image.cancelled]

    def check_sent(self, worker: FakeWorker, images: Sequence[Image]) -> None:
        """What holds of images whenever some are sent to a worker."""
        assert not self.stopped, "sent after the pool was stopped"
        assert 1 <= len(images) <= self.together
        for image in images:
            assert not image.late, "sent past its deadline"
            assert not image.cancelled, "sent though nobody waits"
            assert not image.answers, "sent though it is answered"
            ends = len(image.worker_ends) + len(image.device_ends) + image.missed
            assert image.sent == ends, "sent again though its worker and device were well"
            assert image.sent <= 4 + image.missed, "retried for ever"
            if image.worker_ends or image.device_ends:
                assert len(images) == 1, "retried in company"
        device = worker.device
        if device is None:
            assert not images[0].suspect
            return
        assert device not in self.trials, "sent to a device that runs a suspect"
        suspect = images[0].suspect
        pending = [i for i in self.unanswered() if i.suspect is device and i not in images]
        if suspect is None:
            assert not pending or all(i.late for i in pending), "sent before the suspects"
        else:
            assert suspect is device, "a suspect is tried on another device"
            assert not any(each.busy for each in device.workers), "a suspect is not alone"
            self.trials[device] = worker

    def check(self) -> None:
        """What holds at any time."""
        for image in self.images:
            assert len(image.answers) <= 1, "answered twice"
            if not image.answers:
                continue
            (answer,) = image.answers
            if isinstance(answer, Result):
                if isinstance(answer.outcome, Analysis):
                    assert answer.outcome.width == image.number, "got another's answer"
                else:
                    assert image.nature is Nature.RAISES
            elif isinstance(answer, InferenceError):
                assert image.may_fail, "blamed for another"
            elif isinstance(answer, DeadlineExceededError):
                assert image.late
            else:
                assert isinstance(answer, ShuttingDownError)
                assert self.stopped
        assert self.pool.ready == (self.pool.workers_ready > 0 and not self.stopped)
        if not self.stopped:
            self.check_busy()
        assert self.counting.restarts == self.restarts or self.stopped

    def check_busy(self) -> None:
        """No worker is idle while an image waits that it may have."""
        having = [image for each in self.workers for image in self.with_worker(each)]
        waiting = [i for i in self.unanswered() if not i.late and i not in having]
        for worker in self.workers:
            if not worker.ready or worker.busy or worker.state is State.DEAD:
                continue
            device, suspects = worker.device, worker.seat.group.suspects
            if device is not None and suspects:
                quiet = not any(each.busy for each in device.workers)
                mine = [image for image in waiting if image.suspect is device]
                assert not (mine and quiet), "a suspect waits for an idle device"
            elif device is None or device not in self.trials:
                assert not any(i.suspect is None for i in waiting), "waits beside an idle worker"

    def with_worker(self, worker: FakeWorker) -> list[Image]:
        """The images that the pool thinks a worker has."""
        numbers = [int(bytes(job.task.source)) for job in worker.seat.jobs]
        return [self.images[number] for number in numbers]
