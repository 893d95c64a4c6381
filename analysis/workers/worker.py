"""`python -m analysis.workers.worker`: a process that analyzes images, a few at a time."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Self

from analysis.analyze import analyze
from analysis.errors import InferenceError
from analysis.networks import Networks, open_networks
from analysis.timing import Batch
from analysis.types import Input, Result
from analysis.workers import child, messages
from analysis.workers.channel import Channel, Message
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.messages import Answer, Arrays, Images, Ready, Setup, encode
from analysis.workers.packing import pack_results, unpack_inputs
from analysis.workers.remote import JPEGS, connect
from analysis.workers.remote_jpegs import RemoteJpegDecoder
from engines.errors import RunnerLostError
from engines.libraries.select import open_runner
from engines.select import load_engine
from engines.types import Runner

log = logging.getLogger("emotions.worker")


def serve(channel: Channel, heartbeats: Heartbeats) -> None:
    """Open the networks and analyze images until the service hangs up."""
    setup = messages.to_process(channel.receive().note)
    if not isinstance(setup, Setup):
        raise TypeError("the first message must be a Setup")
    heartbeats.beat()
    with Analyzer(partial(networks_of, setup, heartbeats)) as analyzer:
        channel.send(encode(Ready()))
        while True:
            heartbeats.rest()
            message = channel.receive()
            heartbeats.beat()
            answer, arrays = _answer(message, analyzer)
            channel.send(encode(answer), arrays)


def _answer(message: Message, analyzer: "Analyzer") -> tuple[Ready | Answer, Arrays]:
    note = messages.to_process(message.note)
    if not isinstance(note, Images):
        analyzer.reopen()
        return Ready(), {}
    if analyzer.lost:
        return Answer([], [], lost=True, tried=False), {}
    try:
        found = analyzer.analyze(unpack_inputs(note, message.arrays))
    except RunnerLostError:
        return Answer([], [], lost=True), {}
    return pack_results(*found)


@contextmanager
def networks_of(setup: Setup, heartbeats: Heartbeats) -> Iterator[Networks]:
    """Open the networks in this process, or connect to those of the device process."""
    beat = heartbeats.beat
    if setup.device is None:
        with heartbeats.opening():
            engine = load_engine(setup.engine, setup.capability, setup.gpu_memory)
        with open_networks(engine, setup.plans, beat, heartbeats.opening) as networks:
            yield networks
        return
    decoders = () if setup.jpeg_decoder is None else (JPEGS,)
    remote = setup.plans.of_engine
    with ExitStack() as stack:
        device = stack.enter_context(connect(setup.device, beat, (*remote, *decoders)))
        runners: dict[str, Runner] = {name: device.runner(name) for name in remote}
        for name in setup.plans.all.keys() - remote:
            spec = setup.plans.all[name].spec
            runners[name] = stack.enter_context(open_runner(spec))
        decoder = RemoteJpegDecoder(device) if decoders else None
        yield Networks(runners, setup.plans, beat, device.ended, decoder)


class Analyzer:
    """Analyzes images, and opens its networks again after one of them has failed."""

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
        """Open the networks; close them first if they are open.

        Raises:
            EngineError: they cannot be opened.
        """
        self._stack.close()
        self._networks = self._stack.enter_context(self._open())

    @property
    def lost(self) -> bool:
        """Whether the device process has ended; call `reopen`."""
        return self._networks.lost()

    def analyze(self, inputs: Sequence[Input]) -> tuple[list[Result], list[Batch], int]:
        """Analyze images; also return the batches that ran, and how many networks failed.

        Raises:
            RunnerLostError: the device process ended; call `reopen`.
        """
        self._failures = 0
        results = self._analyze(inputs)
        return results, self._networks.take_batches(), self._failures

    def _analyze(self, inputs: Sequence[Input]) -> list[Result]:
        """Analyze images together; if an engine fails, again one by one, to find those at fault."""
        try:
            return analyze(inputs, self._networks)
        except RunnerLostError:
            raise
        except Exception:
            log.exception("an engine failed")
        self._failures += 1
        self.reopen()
        if len(inputs) == 1:
            return [Result(InferenceError("the engine failed on this image"), [])]
        return [result for each in inputs for result in self._analyze([each])]


if __name__ == "__main__":
    child.run(serve)
