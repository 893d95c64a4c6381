"""Which worker gets which image, and what the end of a worker or of a device means for them.

Callbacks in one event loop; nothing blocks. An image that fails alone is not retried. Images in a
worker that dies or hangs are retried once, each alone, and nobody else notices.
"""

import math
import time
from collections import deque
from collections.abc import Sequence

from analysis.analyze import Result, Task
from analysis.errors import DeadlineExceededError
from analysis.timing import Batch, Sample
from analysis.workers.types import Done, Group, Job, Loop, Member, Observer, Observers, Seat

SWEEP_S = 0.25


class Pool:
    """Sends images to idle workers: one, or a few where many wait.

    `together` is the most images that a worker is sent at once. Those that wait are shared out
    among the idle workers, or as if among `takers`. `limit_s` is the longest time of a step.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        *,
        together: int,
        takers: int | None = None,
        limit_s: float,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.loop: Loop
        self._groups = list(groups)
        self._seats = [seat for group in groups for seat in group.seats]
        self._together, self._takers = together, takers
        self._limit_s, self._tell = limit_s, Observers(observers)
        self._idle: list[Seat] = []
        self._waiting: deque[Job] = deque()
        self._closing = False

    @property
    def ready(self) -> bool:
        """Whether a worker is there that can analyze images."""
        return not self._closing and any(seat.ready for seat in self._seats)

    @property
    def queued(self) -> int:
        """Images that wait for a worker."""
        return len(self._waiting) + sum(len(group.suspects) for group in self._groups)

    @property
    def workers_ready(self) -> int:
        """Workers that can analyze images."""
        return sum(seat.ready for seat in self._seats)

    @property
    def alive(self) -> bool:
        """Whether a process has not ended."""
        return any(each.alive for each in self._members())

    def start(self, loop: Loop) -> None:
        """Start all devices and workers; `loop` calls back."""
        self.loop = loop
        for group in self._groups:
            if group.device is not None:
                group.device.start(self, group)
        for seat in self._seats:
            seat.worker.start(self, seat)
        self.loop.call_later(SWEEP_S, self._sweep)

    def stop(self) -> None:
        """Reject what waits and ask all to end."""
        self._closing = True
        for queue in self._queues():
            for job in queue:
                job.reject()
            queue.clear()
        for each in self._members():
            each.stop()

    def kill(self) -> None:
        """End all at once."""
        for each in self._members():
            each.kill()

    def submit(self, task: Task, deadline: float, done: Done, owner: object = None) -> Job:
        """Queue an image; `done` is called with its result, or why there is none.

        `deadline` is on `time.monotonic`'s clock. Set `cancelled` if nobody waits any more.
        """
        job = Job(task, deadline, done, owner)
        if self._closing:
            job.reject()
        else:
            self._waiting.append(job)
            self._dispatch()
        return job

    def became_ready(self, seat: Seat) -> None:
        """Take note that a worker's networks are open."""
        seat.ready = True
        self._idle.append(seat)
        self._dispatch()

    def answered(
        self, seat: Seat, results: Sequence[Result], batches: Sequence[Batch], failures: int
    ) -> None:
        """Pass on what a worker found, and send it the next images."""
        jobs, sent = self._release(seat), seat.sent
        self._idle.append(seat)
        if seat.stale:
            self._reconnect(seat)
        self._dispatch()
        for job, result in zip(jobs, results, strict=True):
            result.samples.insert(0, Sample("queue", job.queued, sent))
        owners = [job.owner for job in jobs]
        self._tell(lambda observer: observer.ran(batches, owners))
        if failures:
            self._tell(lambda observer: observer.failed(failures))
        for job, result in zip(jobs, results, strict=True):
            job.finish(result)

    def lost(self, seat: Seat, *, tried: bool) -> None:
        """Retry the images of a worker whose device ended, one at a time on that device.

        Unless they were `tried` there: it had ended before the worker began.
        """
        group, on_trial = seat.group, seat.group.trial is seat
        for job in reversed(self._release(seat)):
            if tried and on_trial and job.suspect:
                job.fail()
            else:
                job.suspect = job.suspect or tried
                self._queue_again(job, group)
        self._idle.append(seat)
        self._disconnected(group)
        self._dispatch()

    def ended(self, seat: Seat, reason: str) -> None:
        """Retry the images of a worker that ended, each alone in whichever worker is idle."""
        seat.ready = False
        if seat in self._idle:
            self._idle.remove(seat)
        for job in reversed(self._release(seat)):
            if job.alone:
                job.fail()
            else:
                job.alone = True
                self._queue_again(job, seat.group)
        if not self._closing:
            self._tell(lambda observer: observer.restarted(reason))
        self._dispatch()

    def device_ended(self, group: Group, reason: str) -> None:
        """Take note of the end of a device; its busy workers report what they lost."""
        if self._closing:
            return
        self._disconnected(group)
        self._tell(lambda observer: observer.restarted(reason))

    def _disconnected(self, group: Group) -> None:
        """Let the workers of a device that ended connect to the next one, once they are idle."""
        for seat in group.seats:
            seat.stale = bool(seat.jobs)
            if seat in self._idle:
                self._reconnect(seat)

    def _reconnect(self, seat: Seat) -> None:
        self._idle.remove(seat)
        seat.ready = seat.stale = False
        seat.worker.reconnect()

    def _release(self, seat: Seat) -> list[Job]:
        jobs, seat.jobs = seat.jobs, []
        if seat.group.trial is seat:
            seat.group.trial = None
        return jobs

    def _queue_again(self, job: Job, group: Group) -> None:
        """Put an image that a worker of `group` had before all others that wait."""
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
            self._drop_dead(queue)
        for seat in list(self._idle) if any(g.suspects for g in self._groups) else ():
            group = seat.group
            if group.suspects and group.quiet:
                group.trial = seat
                self._send(seat, [group.suspects.popleft()])
        while self._waiting:
            free = [seat for seat in self._idle if seat.group.open]
            if not free:
                return
            # The worker that was idle last has its data in the core's caches.
            self._send(free[-1], self._share())

    def _share(self) -> list[Job]:
        """Take an even share of what waits; an image that is to be alone is taken alone."""
        share = math.ceil(len(self._waiting) / (self._takers or len(self._idle)))
        jobs = [self._waiting.popleft()]
        while len(jobs) < min(share, self._together) and not (
            jobs[0].alone or self._waiting[0].alone
        ):
            jobs.append(self._waiting.popleft())
        return jobs

    def _send(self, seat: Seat, jobs: list[Job]) -> None:
        self._idle.remove(seat)
        seat.jobs, seat.sent = jobs, time.monotonic()
        if not seat.worker.send([job.task for job in jobs]):
            for job in reversed(self._release(seat)):
                self._queue_again(job, seat.group)

    def _drop_dead(self, queue: deque[Job]) -> None:
        """Take out what is too late or what nobody waits for: neither may cost a worker's time."""
        now = time.monotonic()
        dead = [job for job in queue if job.cancelled or job.deadline < now]
        if not dead:
            return
        gone = sum(job.cancelled for job in dead)
        for job in dead:
            queue.remove(job)
            job.finish(DeadlineExceededError("no result before the deadline"))
        self._tell(lambda observer: observer.dropped("late", len(dead) - gone))
        self._tell(lambda observer: observer.dropped("gone", gone))

    def _sweep(self) -> None:
        """End what hangs, now and again."""
        if self._closing:
            return
        self.loop.call_later(SWEEP_S, self._sweep)
        self._dispatch()
        for group in self._groups:
            if group.device is not None:
                group.device.check(self._limit_s, None)
        for seat in self._seats:
            seat.worker.check(self._limit_s, seat.busy_since)

    def _members(self) -> list[Member]:
        devices = [group.device for group in self._groups if group.device is not None]
        return [*(seat.worker for seat in self._seats), *devices]
