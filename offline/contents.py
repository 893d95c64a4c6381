"""Contents of files: the first bytes decide what a file is, and only images are read whole."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from analysis.errors import TooLargeError
from offline.files import FoundFile
from offline.kinds import HEAD_BYTES, LONG_HEAD_BYTES, Kind, kind_of


class Content(NamedTuple):
    """The kind of a file, and its bytes: all of an image, the first ones of another file."""

    kind: Kind
    data: bytes


def file_reader(max_bytes: int) -> Callable[[FoundFile], Content]:
    """Return a function that reads files with `read_content`."""
    return lambda file: read_content(file.path, max_bytes)


def read_content(path: Path, max_bytes: int) -> Content:
    """Read a file: a few kilobytes to find its kind, the rest if it is an image.

    Raises:
        OSError: it cannot be read, or it is a pipe, a socket or a device, which might block.
        TooLargeError: an image of more than `max_bytes`; it is not read.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "a pipe, socket or device; save what it gives to a file first")
    with path.open("rb") as file:
        kind, head = _identify(file)
        if kind is not Kind.IMAGE:
            return Content(kind, head)
        size = os.fstat(file.fileno()).st_size
        _check_size(size, max_bytes)
        return Content(kind, head + file.read(max(0, size - len(head))))


def content_of(pieces: Iterator[bytes], size: int, max_bytes: int) -> Content:
    """Return the content of an object of `size` bytes, which comes in pieces.

    The first piece holds `LONG_HEAD_BYTES`, or all of a smaller object. Only images are read on.

    Raises:
        TooLargeError: an image of more than `max_bytes`; it is not read.
    """
    head = next(pieces, b"")
    kind = kind_of(head[:HEAD_BYTES])
    if kind is Kind.OTHER and len(head) > HEAD_BYTES:
        kind = kind_of(head[:LONG_HEAD_BYTES])
    if kind is not Kind.IMAGE:
        return Content(kind, head[:HEAD_BYTES])
    _check_size(size, max_bytes)
    return Content(kind, head + b"".join(pieces))


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLargeError(
            f"the image has {size:,} bytes; the limit is {max_bytes:,} bytes "
            "(EMOTIONS_MAX_IMAGE_BYTES)"
        )


def _identify(file: BinaryIO) -> tuple[Kind, bytes]:
    head = file.read(HEAD_BYTES)
    kind = kind_of(head)
    if kind is Kind.OTHER and len(head) == HEAD_BYTES:
        head += file.read(LONG_HEAD_BYTES - HEAD_BYTES)
        kind = kind_of(head)
    return kind, head
