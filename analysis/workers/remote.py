"""The networks of the device process, as runners of a worker."""

import select
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np

from analysis.timing import Batch
from analysis.workers import sockets
from analysis.workers.channel import Channel, Message
from engines.errors import RunnerError, RunnerLostError
from engines.types import Array, Feeds, Runner

# A worker that waits for the device records a heartbeat at this interval.
BEAT_S = 0.25
# The JPEG decoder's name among the networks. Its rows are the bytes of one file, (1, n) uint8.
JPEGS = "jpegs"


class Call(msgspec.Struct, array_like=True):
    """To the device: run the rows in the arrays through a network.

    network: one of `ModelPlans.all`, or `JPEGS`; size: see `QueuedRows`.
    """

    network: str
    size: int = 0


class Reply(msgspec.Struct, array_like=True):
    """From the device: the batch that the rows were part of, or why they failed.

    `batch.rows` is reported to only one of the workers in the batch, and is 0 for the others.
    """

    batch: Batch | None = None
    error: str | None = None


_decoder = msgspec.msgpack.Decoder(Reply)


class DeviceClient:
    """Connections to the device process, one per network; used by one thread."""

    def __init__(self, address: str, beat: Callable[[], None], networks: Iterable[str]) -> None:
        """Connect, and wait until the device has opened its networks; see `connect`.

        Raises:
            RunnerLostError: the device process ended meanwhile.
            ConnectionRefusedError: nothing listens at the address.
        """
        self._beat = beat
        self._stack = ExitStack()
        self.channels: dict[str, Channel] = {}
        try:
            for network in networks:
                self.channels[network] = self._open(address)
                self._receive(network)
        except BaseException:
            self._stack.close()
            raise

    def _open(self, address: str) -> Channel:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.callback(connection.close)
        sockets.connect(connection, address)
        return self._stack.enter_context(closing(Channel(connection)))

    def runner(self, network: str) -> "RemoteRunner":
        """Return the runner of a network."""
        return RemoteRunner(self, network)

    def send(self, network: str, rows: Array, size: int = 0) -> None:
        """Send rows to a network; `receive` returns its outputs. `size`: see `QueuedRows`.

        Raises:
            RunnerLostError: the device process ended.
        """
        try:
            call = msgspec.msgpack.encode(Call(network, size))
            self.channels[network].send(call, {"rows": rows})
        except OSError as error:
            raise RunnerLostError("the device process ended") from error

    def receive(self, network: str) -> tuple[dict[str, Array], Batch]:
        """Wait for the outputs of the rows that were sent; they are copies.

        Raises:
            RunnerLostError: the device process ended.
            RunnerError: the engine failed on these rows.
        """
        outputs, batch = self.receive_views(network)
        return {name: array.copy() for name, array in outputs.items()}, batch

    def receive_views(self, network: str) -> tuple[dict[str, Array], Batch]:
        """Receive outputs as `receive` does, without a copy: they are valid until `send`."""
        message = self._receive(network)
        reply = _decoder.decode(message.note)
        if reply.batch is None:
            raise RunnerError(reply.error or "the engine failed")
        return message.arrays, reply.batch

    def ended(self) -> bool:
        """Whether the process has ended; between calls nothing else makes a socket readable."""
        return bool(select.select(list(self.channels.values()), [], [], 0)[0])

    def _receive(self, network: str) -> Message:
        while True:
            self._beat()
            try:
                return self.channels[network].receive(BEAT_S)
            except TimeoutError:
                continue
            except (EOFError, OSError) as error:
                raise RunnerLostError("the device process ended") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def connect(address: str, beat: Callable[[], None], networks: Iterable[str]) -> DeviceClient:
    """Connect to the device process, or to its successor if it ends meanwhile.

    Raises:
        ConnectionRefusedError: nothing listens at the address any more.
    """
    wanted = tuple(networks)
    while True:
        try:
            return DeviceClient(address, beat, wanted)
        except RunnerLostError:
            continue


class RemoteRunner(Runner):
    """One network of the device process."""

    def __init__(self, device: DeviceClient, network: str) -> None:
        self._device, self._network = device, network
        self._batches: list[Batch] = []

    def input_buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.types.InputBuffer`: the rows are written into shared memory once."""
        return self._device.channels[self._network].input_buffer(shape, dtype)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer` and `DeviceClient.receive`."""
        return self.start(feeds)()

    def start(self, feeds: Feeds) -> Callable[[], dict[str, Array]]:
        """See `analysis.networks.Starting`."""
        (rows,) = feeds.values()
        self._device.send(self._network, rows)
        return self._finish

    def _finish(self) -> dict[str, Array]:
        outputs, batch = self._device.receive(self._network)
        if batch.rows:
            self._batches.append(batch)
        return outputs

    def take_batches(self) -> list[Batch]:
        """See `analysis.networks.Reporting`."""
        batches, self._batches = self._batches, []
        return batches

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: the device owns the network."""
