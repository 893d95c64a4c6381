"""Arrays between two processes: their bytes in shared memory, their names over a socket."""

import mmap
import os
import socket
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from engines import errors
from engines.errors import EngineError, RunnerError
from engines.runner import Array

# What a message may be long; arrays are not in it.
LONGEST = 1 << 16
LONGEST_ERROR = 4000
ALIGNMENT = 64


class _Place(msgspec.Struct, array_like=True):
    """Where an array lies in the sender's segment."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


class _Message(msgspec.Struct, array_like=True):
    """Arrays, or an error of a class of `engines.errors`; nothing at all says: done."""

    arrays: list[_Place] = []
    error: tuple[str, str] | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Message)


class Channel:
    """One end of a pair of sockets, used by one thread, with a segment of memory each way.

    A segment is made larger by making a new one; its descriptor travels with the next message.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._mine = mmap.mmap(-1, 1)
        self._theirs = self._mine
        self._announced: int | None = None
        self._staged: Array | None = None

    def stage(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return room for the only array of the next message, which `send` need not copy then."""
        self._reserve(int(np.prod(shape)) * dtype.itemsize)
        self._staged = np.ndarray(shape, dtype, self._mine)
        return self._staged

    def send(self, arrays: Mapping[str, Array]) -> None:
        """Send arrays; they are copied, except for a staged one.

        Raises:
            OSError: the other end is gone.
        """
        places, size = _layout(arrays)
        self._reserve(size)
        for place, array in zip(places, arrays.values(), strict=True):
            if array is not self._staged:
                np.copyto(_view(self._mine, place), array)
        self._staged = None
        self._put(_Message(places))

    def send_error(self, error: Exception) -> None:
        """Send an error instead; one that is not of the engines' arrives as RunnerError."""
        kind = type(error) if isinstance(error, EngineError) else RunnerError
        text = str(error)[:LONGEST_ERROR].encode(errors="replace").decode()
        self._put(_Message([], (kind.__name__, text)))

    def receive(self, seconds: float | None = None) -> dict[str, Array]:
        """Wait for a message: arrays in the sender's memory, valid until the next `send` here.

        Raises:
            TimeoutError: none came in time.
            EOFError, OSError: the other end is gone.
            EngineError: the one that was sent.
        """
        self._socket.settimeout(seconds)
        data, descriptors, _, _ = socket.recv_fds(self._socket, LONGEST, 1, socket.MSG_CMSG_CLOEXEC)
        for descriptor in descriptors:
            self._theirs = mmap.mmap(descriptor, 0)
            os.close(descriptor)
        if not data:
            raise EOFError("the other end is gone")
        message = _DECODER.decode(data)
        if message.error is not None:
            kind, text = message.error
            raise getattr(errors, kind)(text)
        return {place.name: _view(self._theirs, place) for place in message.arrays}

    def hang_up(self, seconds: float) -> None:
        """Tell the other end that nothing more comes, and wait until it has closed.

        Raises:
            TimeoutError: it has not closed in time.
        """
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while True:
                self.receive(seconds)
        except TimeoutError:
            raise
        except (EOFError, OSError, EngineError):
            self.close()

    def close(self) -> None:
        """Close this end. The memory goes with the last array in it."""
        self._socket.close()
        if self._announced is not None:
            os.close(self._announced)
            self._announced = None

    def _reserve(self, size: int) -> None:
        if size <= len(self._mine):
            return
        self._staged = None
        descriptor = os.memfd_create("emotions")
        os.ftruncate(descriptor, size)
        self._mine = mmap.mmap(descriptor, size)
        if self._announced is not None:
            os.close(self._announced)
        self._announced = descriptor

    def _put(self, message: _Message) -> None:
        data = _ENCODER.encode(message)
        if self._announced is None:
            self._socket.sendall(data)
            return
        socket.send_fds(self._socket, [data], [self._announced])
        os.close(self._announced)
        self._announced = None


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep the bounds of messages."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def supported() -> bool:
    """Whether this system has what a channel is made of: Linux has."""
    return hasattr(os, "memfd_create")


def _layout(arrays: Mapping[str, Array]) -> tuple[list[_Place], int]:
    places, end = [], 0
    for name, array in arrays.items():
        places.append(_Place(name, array.dtype.str, array.shape, end))
        end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return places, end


def _view(memory: mmap.mmap, place: _Place) -> Array:
    return np.ndarray(place.shape, place.dtype, memory, place.offset)
