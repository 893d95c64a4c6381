"""Networks of the device process, as runners of a worker."""

import select
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np

from analysis.timing import Batch
from analysis.workers.channel import Channel, Message
from engines.errors import RunnerError, RunnerLostError
from engines.types import Array, Feeds, Runner

# A worker that waits for the device shows life as often, in seconds.
PAUSE_S = 0.25


class Call(msgspec.Struct, array_like=True):
    """To the device: run the rows that come with this through a network."""

    task: str


class Reply(msgspec.Struct, array_like=True):
    """From the device: the batch that the rows were part of, or why they failed.

    `rows` of the batch is reported to one of the workers in it, and 0 to the others.
    """

    batch: Batch | None = None
    error: str | None = None


_decoder = msgspec.msgpack.Decoder(Reply)


class Device:
    """Connections to the device process, one per network; used by one thread."""

    def __init__(self, address: str, beat: Callable[[], None], tasks: Iterable[str]) -> None:
        """Connect, and wait until the device has opened its networks."""
        self._beat = beat
        self._stack = ExitStack()
        self.channels: dict[str, Channel] = {}
        try:
            for task in tasks:
                self.channels[task] = self._connected(address)
                self._receive(task)
        except BaseException:
            self._stack.close()
            raise

    def _connected(self, address: str) -> Channel:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.callback(connection.close)
        connection.connect("\0" + address)
        return self._stack.enter_context(closing(Channel(connection)))

    def runner(self, task: str) -> "RemoteRunner":
        """The network of a task."""
        return RemoteRunner(self, task)

    def send(self, task: str, rows: Array) -> None:
        """Have a network run rows; `receive` gives what it made of them.

        Raises:
            RunnerLostError: the device process ended.
        """
        try:
            self.channels[task].send(msgspec.msgpack.encode(Call(task)), {"rows": rows})
        except OSError as error:
            raise RunnerLostError("the device process ended") from error

    def receive(self, task: str) -> tuple[dict[str, Array], Batch]:
        """Wait for the outputs of the rows that were sent; they are the caller's own.

        Raises:
            RunnerLostError: the device process ended.
            RunnerError: the engine failed on these rows.
        """
        message = self._receive(task)
        reply = _decoder.decode(message.note)
        if reply.batch is None:
            raise RunnerError(reply.error or "the engine failed")
        return {name: array.copy() for name, array in message.arrays.items()}, reply.batch

    def ended(self) -> bool:
        """Whether the process has ended: it sends nothing that it was not asked for."""
        return bool(select.select(list(self.channels.values()), [], [], 0)[0])

    def _receive(self, task: str) -> Message:
        while True:
            self._beat()
            try:
                return self.channels[task].receive(PAUSE_S)
            except TimeoutError:
                continue
            except (EOFError, OSError) as error:
                raise RunnerLostError("the device process ended") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def connected(address: str, beat: Callable[[], None], tasks: Iterable[str]) -> Device:
    """Connect to the device process, or to the next one if it ends meanwhile.

    Raises:
        ConnectionRefusedError: nobody listens there any more, so that there is no next one.
    """
    wanted = tuple(tasks)
    while True:
        try:
            return Device(address, beat, wanted)
        except RunnerLostError:
            continue


class RemoteRunner(Runner):
    """One network of the device process."""

    def __init__(self, device: Device, task: str) -> None:
        self._device, self._task = device, task
        self._batches: list[Batch] = []

    def stage(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.types.Staging`: the rows are written into shared memory once."""
        return self._device.channels[self._task].stage(shape, dtype)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer` and `Device.receive`."""
        return self.start(feeds)()

    def start(self, feeds: Feeds) -> Callable[[], dict[str, Array]]:
        """See `analysis.networks.Starting`."""
        (rows,) = feeds.values()
        self._device.send(self._task, rows)
        return self._finish

    def _finish(self) -> dict[str, Array]:
        outputs, batch = self._device.receive(self._task)
        if batch.rows:
            self._batches.append(batch)
        return outputs

    def batches(self) -> list[Batch]:
        """See `analysis.networks.Reporting`."""
        found, self._batches = self._batches, []
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The device owns the network."""
