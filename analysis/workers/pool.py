"""Which worker gets which image, and what happens to images when a worker or a device ends.

All calls are made in one event loop, and nothing blocks. An image that fails alone is not retried.
An image in a worker or on a device that dies or hangs is retried once, alone, and then fails; see
also `suspects`. Other images are not affected.
"""

import math
import time
from collections import deque
from collections.abc import Sequence

from analysis.errors import DeadlineExceededError
from analysis.timing import Batch, Sample
from analysis.types import Input, Result
from analysis.workers.job import Done, Job
from analysis.workers.observer import Observer, Observers
from analysis.workers.suspects import SWEEP_S, move_suspects
from analysis.workers.types import Group, Handle, Loop, Worker


class Pool:
    """Sends images to idle workers: one image, or a few if many wait.

    Waiting images are divided evenly among the idle workers, or as if there were `spread_over`
    workers, and a worker gets at most `images_per_worker` at once. A process is killed if one of
    its steps takes longer than `limit_s` seconds.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        *,
        images_per_worker: int,
        spread_over: int | None = None,
        limit_s: float,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.loop: Loop
        self._groups = list(groups)
        self._workers = [worker for group in groups for worker in group.workers]
        self._images_per_worker, self._spread_over = images_per_worker, spread_over
        self._limit_s, self._observers = limit_s, Observers(observers)
        self._idle: list[Worker] = []
        self._waiting: deque[Job] = deque()
        self._closing = False

    @property
    def ready(self) -> bool:
        """Whether at least one worker can analyze images."""
        return not self._closing and any(group.ready for group in self._groups)

    @property
    def queued(self) -> int:
        """Number of images that wait for a worker."""
        return sum(map(len, self._queues()))

    @property
    def workers_ready(self) -> int:
        """Number of workers that can analyze images."""
        return sum(worker.ready for worker in self._workers)

    @property
    def alive(self) -> bool:
        """Whether any process or thread of the pool runs."""
        return any(handle.alive for handle in self._handles())

    def start(self, loop: Loop) -> None:
        """Start all devices and workers; all later calls are made in `loop`."""
        self.loop = loop
        for group in self._groups:
            if group.device is not None:
                group.device.start(self, group)
        for worker in self._workers:
            worker.handle.start(self, worker)
        self.loop.call_later(SWEEP_S, self._sweep)

    def stop(self) -> None:
        """Reject the images that wait, and request the end of all processes."""
        self._closing = True
        for queue in self._queues():
            for job in queue:
                job.reject()
            queue.clear()
        for handle in self._handles():
            handle.stop()

    def kill(self) -> None:
        """End all processes at once."""
        for handle in self._handles():
            handle.kill()

    def submit(self, given: Input, deadline: float, done: Done, owner: object = None) -> Job:
        """Queue an image; `done` is called with its result, or with the error that prevents it.

        `deadline` is on `time.monotonic`'s clock, in seconds.
        """
        job = Job(given, deadline, done, owner)
        if self._closing:
            job.reject()
        else:
            self._waiting.append(job)
            self._dispatch()
        return job

    # The following calls come from the handles, see `types.Dispatcher`.

    def became_ready(self, worker: Worker) -> None:
        """Send images to a worker whose networks are now open."""
        worker.ready = True
        self._idle.append(worker)
        self._dispatch()

    def answered(
        self, worker: Worker, results: Sequence[Result], batches: Sequence[Batch], failures: int
    ) -> None:
        """Pass on the results of a worker, and send it the next images."""
        jobs, sent = self._release(worker), worker.sent
        busy_s = time.monotonic() - sent
        self._idle.append(worker)
        if worker.stale:
            self._reconnect(worker)
        self._dispatch()
        for job, result in zip(jobs, results, strict=True):
            result.samples.insert(0, Sample("queue", job.queued, sent))
        owners = [job.owner for job in jobs]
        self._observers.notify(lambda observer: observer.worker_answered(busy_s))
        self._observers.notify(lambda observer: observer.batches_ran(batches, owners))
        if failures:
            self._observers.notify(lambda observer: observer.networks_failed(failures))
        for job, result in zip(jobs, results, strict=True):
            job.finish(result)

    def lost(self, worker: Worker, *, tried: bool) -> None:
        """Retry the images of a worker whose device ended.

        If the worker had begun to analyze them (`tried`), they become suspects. Otherwise the
        device had ended before, and the images are not to blame.
        """
        group, retried = worker.group, worker.group.retrying is worker
        for job in reversed(self._release(worker)):
            if tried and retried and job.suspect:
                job.fail()
            else:
                if tried:
                    job.accuse()
                self._requeue(job, group)
        self._idle.append(worker)
        self._disconnected(group)
        self._dispatch()

    def ended(self, worker: Worker, reason: str) -> None:
        """Retry the images of a worker that ended, each alone in any idle worker."""
        worker.ready = False
        if worker in self._idle:
            self._idle.remove(worker)
        for job in reversed(self._release(worker)):
            if job.alone:
                job.fail()
            else:
                job.alone = True
                self._requeue(job, worker.group)
        if not self._closing:
            self._observers.notify(lambda observer: observer.process_restarted(reason))
        self._dispatch()

    def device_ended(self, group: Group, reason: str) -> None:
        """Reconnect the idle workers of a device that ended; busy ones report what they lost."""
        if self._closing:
            return
        self._disconnected(group)
        self._observers.notify(lambda observer: observer.process_restarted(reason))

    def _disconnected(self, group: Group) -> None:
        """Reconnect the workers of a device that ended, each as soon as it is idle."""
        for worker in group.workers:
            worker.stale = bool(worker.jobs)
            if worker in self._idle:
                self._reconnect(worker)

    def _reconnect(self, worker: Worker) -> None:
        self._idle.remove(worker)
        worker.ready = worker.stale = False
        worker.handle.reconnect()

    def _release(self, worker: Worker) -> list[Job]:
        jobs, worker.jobs = worker.jobs, []
        if worker.group.retrying is worker:
            worker.group.retrying = None
        return jobs

    def _requeue(self, job: Job, group: Group) -> None:
        """Put an image that a worker of `group` had at the head of its queue."""
        if self._closing:
            job.reject()
        else:
            (group.suspects if job.suspect else self._waiting).appendleft(job)

    def _queues(self) -> list[deque[Job]]:
        return [self._waiting, *(group.suspects for group in self._groups)]

    def _dispatch(self) -> None:
        if self._closing:
            return
        for queue in self._queues():
            self._drop_expired(queue)
        self._retry_suspects()
        while self._waiting:
            free = [worker for worker in self._idle if worker.group.available]
            if not free:
                return
            # The worker that was idle last has its data in the core's caches.
            self._send(free[-1], self._take_jobs())

    def _retry_suspects(self) -> None:
        """Send one suspect to each device that runs no image."""
        for worker in [each for each in self._idle if each.group.suspects]:
            group = worker.group
            if group.suspects and group.idle:
                group.retrying = worker
                self._send(worker, [group.suspects.popleft()])

    def _take_jobs(self) -> list[Job]:
        """Take the images for one worker from the queue; an image marked `alone` is taken alone."""
        even = math.ceil(len(self._waiting) / (self._spread_over or len(self._idle)))
        jobs = [self._waiting.popleft()]
        while len(jobs) < min(even, self._images_per_worker) and not (
            jobs[0].alone or self._waiting[0].alone
        ):
            jobs.append(self._waiting.popleft())
        return jobs

    def _send(self, worker: Worker, jobs: list[Job]) -> None:
        self._idle.remove(worker)
        worker.jobs, worker.sent = jobs, time.monotonic()
        if not worker.handle.send([job.input for job in jobs]):
            for job in reversed(self._release(worker)):
                self._requeue(job, worker.group)

    def _drop_expired(self, queue: deque[Job]) -> None:
        """Drop images that are late or cancelled: they would waste a worker's time."""
        now = time.monotonic()
        expired = [job for job in queue if job.cancelled or job.deadline < now]
        if not expired:
            return
        cancelled = sum(job.cancelled for job in expired)
        for job in expired:
            queue.remove(job)
            job.finish(DeadlineExceededError("no result before the deadline"))
        late = len(expired) - cancelled
        self._observers.notify(lambda observer: observer.images_dropped("late", late))
        self._observers.notify(lambda observer: observer.images_dropped("gone", cancelled))

    def _sweep(self) -> None:
        """Kill processes that hang, move suspects and drop late images, at regular intervals."""
        if self._closing:
            return
        self.loop.call_later(SWEEP_S, self._sweep)
        for group in self._groups:
            if group.device is not None:
                group.device.check(self._limit_s, None)
        for worker in self._workers:
            worker.handle.check(self._limit_s, worker.busy_since)
        move_suspects(self._groups)
        self._dispatch()

    def _handles(self) -> list[Handle]:
        devices = [group.device for group in self._groups if group.device is not None]
        return [*(worker.handle for worker in self._workers), *devices]
