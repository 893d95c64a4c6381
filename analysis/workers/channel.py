"""Messages between two processes: arrays in shared memory, and a note of bytes over a socket."""

import errno
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

# The longest message in bytes, without its arrays.
LONGEST = 1 << 17
ALIGNMENT = 64


class _Place(msgspec.Struct, array_like=True):
    """The place of an array in the sender's segment."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


class _Header(msgspec.Struct, array_like=True):
    note: bytes
    arrays: list[_Place]


class Message(NamedTuple):
    """A note, and arrays in the sender's memory, valid until the receiver sends a message."""

    note: bytes
    arrays: dict[str, Array]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Header)


class Channel:
    """One end of a pair of sockets with a segment of shared memory each way; used by one thread.

    The ends take turns: each message answers the one before. Notes without arrays may be sent at
    any time. A segment that is too small is replaced; the next message carries the descriptor of
    the new one.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._mine = mmap.mmap(-1, 1)
        self._theirs = self._mine
        self._unsent_descriptor: int | None = None
        self._placed: Array | None = None

    def fileno(self) -> int:
        """Return the descriptor of the socket, to wait for messages."""
        return self._socket.fileno()

    def input_buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return memory for the only array of the next message; `send` does not copy it."""
        self._reserve(int(np.prod(shape)) * dtype.itemsize)
        self._placed = np.ndarray(shape, dtype, self._mine)
        return self._placed

    def send(self, note: bytes, arrays: Mapping[str, Array] = MappingProxyType({})) -> None:
        """Send a note and arrays; arrays are copied, unless they are there already.

        Raises:
            OSError: the other end is closed, its queue is full, or there is no memory or
                descriptor for the arrays.
        """
        places, size = _layout(arrays)
        self._reserve(size)
        for place, array in zip(places, arrays.values(), strict=True):
            if array is not self._placed:
                np.copyto(_view(self._mine, place), array)
        if arrays:
            self._placed = None
        data = _ENCODER.encode(_Header(note, places))
        # Reset before sending: as soon as this is sent, the next message may come, and another
        # thread may answer it.
        descriptor, self._unsent_descriptor = self._unsent_descriptor, None
        if descriptor is None:
            self._socket.sendall(data)
            return
        try:
            socket.send_fds(self._socket, [data], [descriptor])
        finally:
            os.close(descriptor)

    def send_note(self, note: bytes) -> None:
        """Send a note without arrays, from any thread and at any time; errors as `send`."""
        self._socket.sendall(_ENCODER.encode(_Header(note, [])))

    def receive(self, seconds: float | None = None) -> Message:
        """Wait for a message.

        Raises:
            TimeoutError: no message within `seconds`; BlockingIOError if `seconds` is 0.
            EOFError, OSError: the other end is closed, or the memory of the message is lost.
        """
        if self._socket.gettimeout() != seconds:  # a system call
            self._socket.settimeout(seconds)
        flags = socket.MSG_CMSG_CLOEXEC
        data, descriptors, found, _ = socket.recv_fds(self._socket, LONGEST, 1, flags)
        for descriptor in descriptors:
            try:
                self._theirs = mmap.mmap(descriptor, 0)
            finally:
                os.close(descriptor)
        if found & socket.MSG_CTRUNC:
            raise OSError(errno.EMFILE, "no descriptor is left for the memory of a message")
        if not data:
            raise EOFError("the other end is closed")
        header = _DECODER.decode(data)
        return Message(
            header.note, {place.name: _view(self._theirs, place) for place in header.arrays}
        )

    def hang_up(self) -> None:
        """Announce that this end sends no more messages; it can still receive them."""
        with suppress(OSError):  # the other end is closed
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end. Its memory is freed with the last array in it."""
        self._socket.close()
        if self._unsent_descriptor is not None:
            os.close(self._unsent_descriptor)
            self._unsent_descriptor = None

    def _reserve(self, size: int) -> None:
        if size <= len(self._mine):
            return
        size = _aligned(size)
        self._placed = None
        descriptor = os.memfd_create("emotions")
        try:
            os.ftruncate(descriptor, size)
            self._mine = mmap.mmap(descriptor, size)
        except (OSError, ValueError):
            os.close(descriptor)
            raise
        if self._unsent_descriptor is not None:
            os.close(self._unsent_descriptor)
        self._unsent_descriptor = descriptor


def supported() -> bool:
    """Return whether this system has what a channel needs, as Linux does."""
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
