"""`python -m analysis.workers.worker`: a process that analyzes images, a few at a time."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Self

from analysis.analyze import Result, Task, analyze
from analysis.errors import InferenceError
from analysis.networks import Networks, opened
from analysis.timing import Batch
from analysis.workers import child, messages
from analysis.workers.channel import Channel
from analysis.workers.child import Beats
from analysis.workers.messages import Answer, Images, Ready, Setup, encode
from analysis.workers.remote import connected
from engines.errors import RunnerLostError
from engines.select import load_engine

log = logging.getLogger("emotions.worker")


def serve(channel: Channel, beats: Beats) -> None:
    """Open the networks and analyze images until the service hangs up."""
    setup = messages.to_process(channel.receive().note)
    if not isinstance(setup, Setup):
        raise TypeError("the first message says what to open")
    beats.beat()
    with Worker(partial(networks_of, setup, beats.beat)) as worker:
        channel.send(encode(Ready()))
        while True:
            beats.rest()
            message = channel.receive()
            beats.beat()
            note = messages.to_process(message.note)
            if not isinstance(note, Images):
                worker.reopen()
                channel.send(encode(Ready()))
                continue
            if worker.lost:
                channel.send(encode(Answer([], [], lost=True, tried=False)))
                continue
            try:
                found = worker.analyze(messages.tasks(note, message.arrays))
            except RunnerLostError:
                channel.send(encode(Answer([], [], lost=True)))
                continue
            answer, arrays = messages.answer(*found)
            channel.send(encode(answer), arrays)


@contextmanager
def networks_of(setup: Setup, beat: Callable[[], None]) -> Iterator[Networks]:
    """Open the networks here, or connect to those of the device process."""
    if setup.device is None:
        engine = load_engine(setup.engine, setup.capability)
        with opened(engine, setup.plans, beat) as networks:
            yield networks
        return
    with connected(setup.device, beat, setup.plans.all) as device:
        runners = {task: device.runner(task) for task in setup.plans.all}
        yield Networks(runners, setup.plans, beat, device.ended)


class Worker:
    """Analyzes images with networks that are opened anew after one of them failed."""

    def __init__(self, networks: Callable[[], AbstractContextManager[Networks]]) -> None:
        self._open = networks
        self._stack = ExitStack()
        self._networks: Networks
        self._failures = 0

    def __enter__(self) -> Self:
        self.reopen()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def reopen(self) -> None:
        """Open the networks, anew if they are open.

        Raises:
            EngineError: they cannot be opened.
        """
        self._stack.close()
        self._networks = self._stack.enter_context(self._open())

    @property
    def lost(self) -> bool:
        """Whether the device process has ended; call `reopen`."""
        return self._networks.lost()

    def analyze(self, tasks: Sequence[Task]) -> tuple[list[Result], list[Batch], int]:
        """Analyze images; also the batches that ran, and how many networks failed.

        Raises:
            RunnerLostError: the device process ended; call `reopen`.
        """
        self._failures = 0
        results = self._analyze(tasks)
        return results, self._networks.batches(), self._failures

    def _analyze(self, tasks: Sequence[Task]) -> list[Result]:
        """Analyze images together, and one by one if an engine fails: only one may be why."""
        try:
            return analyze(tasks, self._networks)
        except RunnerLostError:
            raise
        except Exception:
            log.exception("an engine failed")
        self._failures += 1
        self.reopen()
        if len(tasks) == 1:
            return [Result(InferenceError("the engine failed on this image"), [])]
        return [result for task in tasks for result in self._analyze([task])]


if __name__ == "__main__":
    child.run(serve)
