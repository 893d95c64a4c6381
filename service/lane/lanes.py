"""Finding faces in lanes: a queue in front of as many as there are cores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from engines.runner import Runner
from service.batcher import Batcher
from service.errors import ServiceError
from service.lane import wire
from service.lane.lane import Passed, Task
from service.record import Batch, Observer, current
from service.stages import Cut, Options, Source

LaneBatcher = Batcher[Task, Passed]


class Lanes:
    """Hands images whole to the next free lane: one, or some where many wait (docs/adr/0011).

    `observers` are told of the faces that were read in lanes, as a batch each time.
    """

    def __init__(self, batcher: LaneBatcher, observers: Sequence[Observer]) -> None:
        self.batcher = batcher
        self._observers = observers

    async def find(self, source: Source, options: Options, deadline: float) -> Cut:
        """Find and cut the faces of an image; see `image.open_picture` and `Batcher` for errors."""
        outcome, samples, read = await self.batcher.submit(Task(source, options), deadline)
        record = current()
        if record is not None:
            record.samples += samples
        if isinstance(outcome, ServiceError):
            raise outcome
        if read:
            _, started, ended = samples[-1]
            waited = {} if record is None else {record: started}
            batch = Batch(read, waited, started, started, ended)
            for observer in self._observers:
                observer.ran(batch)
        return outcome

    def close(self) -> None:
        """Finish what was accepted. Blocks."""
        self.batcher.close()


class Waited(Observer):
    """Writes into a record how long its image waited; the stages are in what the lane gives."""

    def ran(self, batch: Batch) -> None:
        for record, queued in batch.waiting.items():
            record.add("queue", queued, batch.started)


@contextmanager
def answers_of(
    opened: Callable[[], AbstractContextManager[Runner]],
) -> Iterator[Callable[[list[Task]], list[Passed]]]:
    """Open a `LaneRunner`, here or elsewhere, as a function from tasks to what came of them.

    A small task is run before the first real one: the worker's watchdog goes by what it takes.
    """
    with opened() as runner:

        def run(tasks: list[Task]) -> list[Passed]:
            return wire.passed(runner.infer(wire.feeds(tasks)))

        run([Task(np.zeros((64, 64, 3), np.uint8), Options())])
        yield run
