"""Messages between two processes: arrays in shared memory, a note of some bytes over a socket."""

import mmap
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engines.types import Array

# Largest message in bytes; arrays are not part of it.
LONGEST = 1 << 17
ALIGNMENT = 64


class _Place(msgspec.Struct, array_like=True):
    """Where an array lies in the sender's segment."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


class _Header(msgspec.Struct, array_like=True):
    note: bytes
    arrays: list[_Place]


class Message(NamedTuple):
    """A note, and arrays in the sender's memory, valid until the receiver sends something."""

    note: bytes
    arrays: dict[str, Array]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Header)


class Channel:
    """One end of a pair of sockets, used by one thread, with a segment of memory each way.

    Both ends take turns: a message answers the one before. Notes without arrays may be sent at any
    time. A segment grows by being replaced; its descriptor travels with the next message.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._mine = mmap.mmap(-1, 1)
        self._theirs = self._mine
        self._announced: int | None = None
        self._staged: Array | None = None

    def fileno(self) -> int:
        """The socket's descriptor, to wait for messages with."""
        return self._socket.fileno()

    def stage(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return room for the only array of the next message, which `send` does not copy then."""
        self._reserve(int(np.prod(shape)) * dtype.itemsize)
        self._staged = np.ndarray(shape, dtype, self._mine)
        return self._staged

    def send(self, note: bytes, arrays: Mapping[str, Array] = MappingProxyType({})) -> None:
        """Send a note and arrays; arrays are copied, except for a staged one.

        Raises:
            OSError: the other end is gone, or its queue of notes is full.
        """
        places, size = _layout(arrays)
        self._reserve(size)
        for place, array in zip(places, arrays.values(), strict=True):
            if array is not self._staged:
                np.copyto(_view(self._mine, place), array)
        if arrays:
            self._staged = None
        data = _ENCODER.encode(_Header(note, places))
        # Once it is sent, another thread may already answer the next message.
        announced, self._announced = self._announced, None
        if announced is None:
            self._socket.sendall(data)
            return
        try:
            socket.send_fds(self._socket, [data], [announced])
        finally:
            os.close(announced)

    def note(self, note: bytes) -> None:
        """Send a note alone, from any thread and at any time; errors as `send`."""
        self._socket.sendall(_ENCODER.encode(_Header(note, [])))

    def receive(self, seconds: float | None = None) -> Message:
        """Wait for a message.

        Raises:
            TimeoutError: none came in time; with `seconds` 0, BlockingIOError.
            EOFError, OSError: the other end is gone.
        """
        if self._socket.gettimeout() != seconds:  # a system call
            self._socket.settimeout(seconds)
        data, descriptors, _, _ = socket.recv_fds(self._socket, LONGEST, 1, socket.MSG_CMSG_CLOEXEC)
        for descriptor in descriptors:
            self._theirs = mmap.mmap(descriptor, 0)
            os.close(descriptor)
        if not data:
            raise EOFError("the other end is gone")
        header = _DECODER.decode(data)
        return Message(
            header.note, {place.name: _view(self._theirs, place) for place in header.arrays}
        )

    def hang_up(self) -> None:
        """Announce that nothing more is sent; what the other end sends can still be received."""
        with suppress(OSError):  # it has ended
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end. The memory goes with the last array in it."""
        self._socket.close()
        if self._announced is not None:
            os.close(self._announced)
            self._announced = None

    def _reserve(self, size: int) -> None:
        if size <= len(self._mine):
            return
        size = _aligned(size)
        self._staged = None
        descriptor = os.memfd_create("emotions")
        os.ftruncate(descriptor, size)
        self._mine = mmap.mmap(descriptor, size)
        if self._announced is not None:
            os.close(self._announced)
        self._announced = descriptor


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep the bounds of messages."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def supported() -> bool:
    """Whether this system has what a channel needs: Linux has."""
    return hasattr(os, "memfd_create")


def _layout(arrays: Mapping[str, Array]) -> tuple[list[_Place], int]:
    places, end = [], 0
    for name, array in arrays.items():
        places.append(_Place(name, array.dtype.str, array.shape, end))
        end += _aligned(array.nbytes)
    return places, end


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _view(memory: mmap.mmap, place: _Place) -> Array:
    return np.ndarray(place.shape, place.dtype, memory, place.offset)
