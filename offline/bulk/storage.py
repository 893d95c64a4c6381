"""Folders and object stores, by one interface; each object appears whole or not at all."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from offline.errors import StorageError

if TYPE_CHECKING:
    from obstore import BytesStream

P = ParamSpec("P")
T = TypeVar("T")
URL = re.compile(r"([a-z][a-z0-9+.-]*)://")
SCHEMES = ("s3", "gs", "az")
PIECE_BYTES = 1 << 20
# The error code of S3 for an object in an archive, such as Glacier.
ARCHIVED = "InvalidObjectState"


def is_url(place: str) -> bool:
    """Whether a place is a URL; otherwise it is a folder."""
    return URL.match(place) is not None


class Storage:
    """A folder, or the objects of a bucket below a prefix.

    Keys are relative to `place`, with slashes. Requests that fail for a while are repeated.
    """

    def __init__(self, place: str) -> None:
        """Open `place`, a folder or a URL; a missing folder is created.

        Raises:
            StorageError: the URL is wrong, or the folder cannot be created.
        """
        self.place = place
        self._store = self._call(_open, place)

    def keys(self, prefix: str | None = None) -> Iterator[str]:
        """Yield all keys, or those below a folder `prefix`; sorted in object stores only.

        Raises:
            StorageError: they cannot be listed.
        """
        pages = iter(obstore.list(self._store, prefix))
        while page := self._call(next, pages, None):
            yield from (entry["path"] for entry in page)

    def read(self, key: str) -> bytes:
        """Return an object.

        Raises:
            FileNotFoundError: there is none.
            StorageError: it cannot be read.
        """
        return self._call(lambda: bytes(obstore.get(self._store, key).bytes()))

    def stream(self, key: str) -> tuple[int, Iterator[bytes]]:
        """Return the size of an object in bytes, and its content in pieces.

        Raises:
            OSError: there is none, or it is archived.
            StorageError: it cannot be read; the iterator may raise this, too.
        """
        found = self._call(obstore.get, self._store, key)
        return found.meta["size"], self._pieces(found.stream(PIECE_BYTES))

    def _pieces(self, pieces: "BytesStream") -> Iterator[bytes]:
        while (piece := self._call(next, pieces, None)) is not None:
            yield bytes(piece)

    def write(self, key: str, data: bytes | Path) -> None:
        """Write an object, or replace it.

        Raises:
            StorageError: it cannot be written.
        """
        self._put(key, data, "overwrite")

    def create(self, key: str, data: bytes) -> bool:
        """Write an object; return False, and write nothing, if there is one.

        Raises:
            StorageError: it cannot be written.
        """
        try:
            self._put(key, data, "create")
        except AlreadyExistsError:
            return False
        return True

    def _put(self, key: str, data: bytes | Path, mode: Literal["create", "overwrite"]) -> None:
        self._call(obstore.put, self._store, key, data, mode=mode)

    def _call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except AlreadyExistsError:
            raise
        except FileNotFoundError as error:  # of obstore, without a number
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        except BaseError as error:
            if ARCHIVED in str(error):
                raise OSError(errno.EACCES, "the object is archived; restore it first") from error
            raise StorageError(f"{self.place}: {_summary(error)}") from error


def _open(place: str) -> ObjectStore:
    found = URL.match(place)
    if not found:
        return LocalStore(Path(place).resolve(), mkdir=True)
    if found[1] not in SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise StorageError(f"{place}: this is neither a folder nor one of {schemes}")
    try:
        return from_url(place)
    except ValueError as error:
        raise StorageError(f"{place}: {error}") from error


def _summary(error: BaseError) -> str:
    """Return the message of an error without the dump of its source."""
    return " ".join(str(error).partition("Debug source:")[0].split())
