"""A pool with fake processes and images, and what must hold of them at any time.

Messages of a process arrive when the test delivers them: in order for each process, and in any
order across processes, as over sockets.
"""

from collections.abc import Sequence

import numpy as np

from analysis.errors import DeadlineExceededError, InferenceError, ShuttingDownError
from analysis.image import NO_FACES
from analysis.types import Analysis, Input, Options, Result
from analysis.workers.observer import Observer
from analysis.workers.pool import Pool
from analysis.workers.types import Group, Worker
from tests.analysis.workers.fake_processes import (
    DIED,
    HUNG,
    FakeDevice,
    FakeLoop,
    FakeWorker,
    Image,
    Nature,
    State,
)

ALWAYS = 1e12


class Raising(Observer):
    """An observer that raises errors."""

    def batches_ran(self, *_: object) -> None:
        raise ValueError("this observer is broken")

    def worker_answered(self, seconds: float) -> None:
        raise ValueError(seconds)

    def networks_failed(self, count: int) -> None:
        raise ValueError(count)

    def process_restarted(self, reason: str) -> None:
        raise ValueError(reason)

    def images_dropped(self, reason: str, count: int) -> None:
        raise ValueError(reason, count)


class Counting(Observer):
    """Counts the events that it gets after a broken observer."""

    def __init__(self) -> None:
        self.restarts = 0
        self.owners: list[object] = []
        self.dropped = {"late": 0, "gone": 0}

    def batches_ran(self, _: object, owners: Sequence[object]) -> None:
        self.owners += owners

    def process_restarted(self, reason: str) -> None:
        assert reason in {DIED, HUNG}
        self.restarts += 1

    def images_dropped(self, reason: str, count: int) -> None:
        self.dropped[reason] += count


class World:
    """A pool with its workers, devices and images."""

    def __init__(
        self,
        devices: Sequence[int],
        alone: int = 0,
        images_per_worker: int = 4,
        spread_over: int | None = None,
    ) -> None:
        """Make so many workers for each device, and `alone` workers without a device."""
        self.images: list[Image] = []
        self.restarts = 0
        self.retrying: dict[FakeDevice, FakeWorker] = {}
        self.stopped = False
        self.loop, self.counting = FakeLoop(), Counting()
        groups = [self._group(count, FakeDevice(self)) for count in devices]
        groups += [self._group(1, None) for _ in range(alone)]
        self.images_per_worker = images_per_worker
        self.devices = [group.device for group in groups if isinstance(group.device, FakeDevice)]
        self.workers = [
            worker.handle
            for group in groups
            for worker in group.workers
            if isinstance(worker.handle, FakeWorker)
        ]
        observers = [Raising(), self.counting]
        self.pool = Pool(
            groups,
            images_per_worker=images_per_worker,
            spread_over=spread_over,
            limit_s=1,
            observers=observers,
        )
        self.pool.start(self.loop)

    def _group(self, workers: int, device: FakeDevice | None) -> Group:
        group = Group(device)
        made = [FakeWorker(self, device) for _ in range(workers)]
        if device is not None:
            device.workers = made
        group.workers = [Worker(handle, group) for handle in made]
        return group

    def submit(self, nature: Nature = Nature.FINE, deadline: float = ALWAYS) -> Image:
        image = Image(len(self.images), nature)
        self.images.append(image)
        task = Input(str(image.number).encode(), Options())
        image.job = self.pool.submit(task, deadline, image.answers.append, owner=image)
        return image

    def result(self, image: Image) -> Result:
        if image.nature is Nature.RAISES:
            return Result(InferenceError("the engine failed on this image"), [])
        scores, qualities = np.zeros((0, 7), np.float32), np.zeros(0, np.float32)
        return Result(Analysis(image.number, 1, NO_FACES, scores, qualities), [])

    # Events that may happen next.

    def openable(self) -> list[FakeDevice | FakeWorker]:
        """Return the processes that may become ready."""
        if self.stopped:
            return []
        return [
            *(each for each in self.devices if not each.up and not each.lost and each.reported),
            *(
                each
                for each in self.workers
                if each.state in {State.STARTING, State.CONNECTING}
                and (each.device is None or each.device.up)
            ),
        ]

    def senders(self) -> list[FakeDevice | FakeWorker]:
        """Return the processes that have sent messages."""
        senders: list[FakeDevice | FakeWorker] = [*self.devices, *self.workers]
        return [each for each in senders if each.outbox]

    def movable(self) -> list[FakeWorker]:
        """Return the workers that have images and can go on with them."""
        return [each for each in self.workers if each.images and not self.waits(each)]

    def open_all(self) -> None:
        """Make every process ready, and deliver all messages."""
        while self.openable() or self.senders():
            for sender in self.senders():
                sender.outbox.popleft()()
            for each in self.openable():
                each.open()

    def settle(self) -> None:
        """Go on until nothing is left to do; processes end only by their images."""
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
        """After `stop`, end the idle workers; kill the others if none is idle."""
        idle = [each for each in self.workers if each.alive and not each.images]
        for worker in idle:
            worker.end()
        if not idle:
            self.pool.kill()

    def waits(self, worker: FakeWorker) -> bool:
        """Return whether a worker or its device hangs."""
        calling = worker.state is State.CALLING and worker.connected
        return worker.hung or (calling and worker.device is not None and worker.device.hung)

    def stop(self) -> None:
        self.stopped = True
        self.pool.stop()

    # Checks.

    def unanswered(self) -> list[Image]:
        return [image for image in self.images if not image.answers and not image.cancelled]

    def check_sent(self, worker: FakeWorker, images: Sequence[Image]) -> None:
        """Check images that are sent to a worker."""
        assert not self.stopped, "sent after the pool was stopped"
        assert 1 <= len(images) <= self.images_per_worker
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
        suspect, homeless = images[0].suspect, images[0].homeless
        if device is None:
            assert not suspect
            return
        assert device not in self.retrying, "sent to a device that runs a suspect"
        pending = [i for i in self.unanswered() if i.suspect is device and i not in images]
        if suspect is None and not homeless:
            assert not pending or all(i.late for i in pending), "sent before the suspects"
            assert not worker.worker.group.suspects, "sent before suspects of another device"
        else:
            assert homeless or suspect is device, "a suspect is tried on another device"
            assert not any(each.busy for each in device.workers), "a suspect is not alone"
            self.retrying[device] = worker

    def check(self) -> None:
        """Check what must hold at any time."""
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
        """Check that no worker is idle while it could have a waiting image."""
        having = [image for each in self.workers for image in self.with_worker(each)]
        waiting = [i for i in self.unanswered() if not i.late and i not in having]
        for worker in self.workers:
            if not worker.ready or worker.busy or worker.state is State.DEAD:
                continue
            device, suspects = worker.device, worker.worker.group.suspects
            if device is not None and suspects:
                quiet = not any(each.busy for each in device.workers)
                mine = [job for job in suspects if job.deadline and not job.cancelled]
                assert not (mine and quiet), "a suspect waits for an idle device"
            elif device is None or device not in self.retrying:
                innocent = [i for i in waiting if i.suspect is None and not i.homeless]
                assert not innocent, "waits beside an idle worker"

    def with_worker(self, worker: FakeWorker) -> list[Image]:
        """Return the images that a worker has according to the pool."""
        numbers = [int(bytes(job.input.source)) for job in worker.worker.jobs]
        return [self.images[number] for number in numbers]
