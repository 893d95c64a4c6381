"""Folders and object stores, by one interface; each object appears whole or not at all."""

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PreconditionError

from offline.bulk.stores import is_url, open_store, summary
from offline.errors import StorageError

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta

P = ParamSpec("P")
T = TypeVar("T")
PIECE_BYTES = 1 << 20
PAGE = 1000
# The error code of S3 for an object in an archive, such as Glacier.
ARCHIVED = "InvalidObjectState"
# obstore repeats most requests for some seconds. A store that has answered before then gets further
# attempts, after these pauses in seconds: it may reject requests while it adds servers. A wrong
# address or key is reported at once.
PAUSES_S = (1, 4, 15)


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
        self._answered = False
        self._store = self._translated(open_store, place)

    def keys(self, prefix: str | None = None) -> Iterator[str]:
        """Yield all keys, or those below a folder `prefix`; sorted in object stores only.

        Raises:
            StorageError: they cannot be listed.
        """
        return (key for key, _ in self.sizes(prefix))

    def sizes(self, prefix: str | None = None) -> Iterator[tuple[str, int]]:
        """Yield what `keys` yields, each with its size in bytes."""
        last: str | None = None

        def pages() -> "Iterator[Sequence[ObjectMeta]]":
            return iter(obstore.list(self._store, prefix, offset=last, chunk_size=PAGE))

        for page in self._continued(pages):
            yield from ((entry["path"], entry["size"]) for entry in page)
            last = page[-1]["path"]

    def read(self, key: str) -> bytes:
        """Return an object.

        Raises:
            FileNotFoundError: there is none.
            StorageError: it cannot be read.
        """
        return self._call(lambda: bytes(obstore.get(self._store, key).bytes()))

    def stream(self, key: str) -> tuple[int, Iterator[bytes]]:
        """Return the size of an object in bytes, and its content in pieces of `PIECE_BYTES`.

        Raises:
            OSError: there is none, or it is archived, or another account owns it. The iterator
                raises this if the object changes.
            StorageError: it cannot be read; the iterator may raise this, too.
        """
        found = self._call(obstore.get, self._store, key)
        return found.meta["size"], self._pieces(key, found)

    def _pieces(self, key: str, found: "GetResult") -> Iterator[bytes]:
        offset, opened = 0, [found]

        def pieces() -> Iterator[bytes]:
            if opened:
                return _copies(opened.pop())
            options: GetOptions = {"if_match": found.meta["e_tag"]}
            if offset:
                options["range"] = {"offset": offset}
            return _copies(obstore.get(self._store, key, options=options))

        for piece in self._continued(pieces):
            offset += len(piece)
            yield piece

    def write(self, key: str, data: bytes | Path) -> None:
        """Write an object, or replace it.

        Raises:
            StorageError: it cannot be written.
        """
        self._put(key, data, "overwrite")

    def create(self, key: str, data: bytes) -> bool:
        """Write an object; return False, and write nothing, if there is another one.

        Raises:
            StorageError: it cannot be written.
        """
        try:
            self._put(key, data, "create")
        except AlreadyExistsError:  # perhaps by an attempt of this call without an answer
            return self.read(key) == data
        return True

    def _put(self, key: str, data: bytes | Path, mode: Literal["create", "overwrite"]) -> None:
        try:
            self._call(obstore.put, self._store, key, data, mode=mode)
        except FileNotFoundError as error:
            raise StorageError(f"{self.place}: there is no such bucket or folder") from error

    def _continued(self, start: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Yield what `start` gives. It is called again after an error, to continue there."""
        items: Iterator[T] | None = None

        def step() -> T | None:
            nonlocal items
            items, opened = None, items or start()
            found = next(opened, None)
            items = opened
            return found

        while (item := self._call(step)) is not None:
            yield item

    def _call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call obstore, and again if it fails for a while; see `PAUSES_S`."""
        for pause in PAUSES_S if self._answered else ():
            try:
                return self._translated(function, *args, **kwargs)
            except StorageError as error:
                if not isinstance(error.__cause__, GenericError):
                    raise
                time.sleep(pause)
        result = self._translated(function, *args, **kwargs)
        self._answered = is_url(self.place)
        return result

    def _translated(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except AlreadyExistsError:
            raise
        except FileNotFoundError as error:  # of obstore, without a number
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        except PreconditionError as error:
            raise OSError(errno.ESTALE, "the object changed while it was read") from error
        except BaseError as error:
            if ARCHIVED in str(error):
                raise OSError(errno.EACCES, "the object is archived; restore it first") from error
            raise StorageError(f"{self.place}: {summary(error)}") from error


def _copies(found: "GetResult") -> Iterator[bytes]:
    return (bytes(piece) for piece in found.stream(PIECE_BYTES))
