"""Where the files of a library come from: a folder, or an object store."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Protocol

from offline.bulk.storage import Storage
from offline.bulk.stores import is_url
from offline.contents import Content, content_of, read_content
from offline.errors import CommandError
from offline.files import FoundFile, find_files
from offline.names import printable


class Source(Protocol):
    """The files of a library. Any thread, on any machine, may read them.

    The paths of its files are relative to the library.
    """

    def files(self) -> Iterator[FoundFile]:
        """Yield all files, in an order that does not change unless the files do.

        Raises:
            StorageError: they cannot be listed.
        """

    def read(self, file: FoundFile) -> Content:
        """Return the content of a file; see `read_content`.

        Raises:
            OSError, TooLargeError: see `read_content`.
            StorageError: the store does not answer.
        """
        ...

    def on_disk(self, file: FoundFile) -> AbstractContextManager[Path]:
        """Return the path of a file on this machine, for the time of the block.

        Raises:
            OSError: the disk cannot take it.
            StorageError: the store does not answer.
        """
        ...


def open_source(place: str, target: str, max_bytes: int) -> Source:
    """Open a library, without the files below `target`; larger images are not read.

    Raises:
        CommandError: `place` is no folder, or lies in `target`.
        StorageError: the URL is wrong.
    """
    if is_url(place):
        return StoreSource(place, target, max_bytes)
    return FolderSource(Path(place), None if is_url(target) else Path(target), max_bytes)


class FolderSource:
    """A folder that all machines see at the same path; see `Source`."""

    def __init__(self, folder: Path, target: Path | None, max_bytes: int) -> None:
        if not folder.is_dir():
            raise CommandError(f"{folder}: there is no such folder")
        if target and folder.resolve().is_relative_to(target.resolve()):
            raise CommandError(f"{target}: the source lies in this folder; choose another target")
        self._folder, self._target, self._max_bytes = folder.resolve(), target, max_bytes

    def files(self) -> Iterator[FoundFile]:
        for file in find_files([self._folder], self._target):
            yield file._replace(path=file.path.relative_to(self._folder))

    def read(self, file: FoundFile) -> Content:
        return read_content(self._folder / file.path, self._max_bytes)

    def on_disk(self, file: FoundFile) -> AbstractContextManager[Path]:
        return nullcontext(self._folder / file.path)


class StoreSource:
    """The objects below a URL; see `Source`. Keys of a segment with a leading dot are hidden.

    Empty objects are left out unless their name promises an image or a video, because some programs
    mark a folder by an empty object.
    """

    def __init__(self, url: str, target: str, max_bytes: int) -> None:
        self._storage, self._max_bytes = Storage(url), max_bytes
        source, below = _folder(url), _folder(target)
        if source.startswith(below):
            raise CommandError(f"{target}: the source lies in this folder; choose another target")
        self._excluded = below.removeprefix(source) if below.startswith(source) else None

    def files(self) -> Iterator[FoundFile]:
        for key, size in sorted(self._storage.sizes()):
            if self._excluded and key.startswith(self._excluded):
                continue
            file = FoundFile(Path(key), printable(key))
            if any(part.startswith(".") for part in key.split("/")):
                file = file._replace(left_out="hidden")
            elif not size and not file.promising:
                file = file._replace(left_out="empty")
            yield file

    def read(self, file: FoundFile) -> Content:
        size, pieces = self._storage.stream(_key(file))
        return content_of(pieces, size, self._max_bytes)

    @contextmanager
    def on_disk(self, file: FoundFile) -> Iterator[Path]:
        _, pieces = self._storage.stream(_key(file))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "video").with_suffix(file.path.suffix)
            with path.open("wb") as out:
                out.writelines(pieces)
            yield path


def _folder(url: str) -> str:
    return url.rstrip("/") + "/"


def _key(file: FoundFile) -> str:
    return str(PurePosixPath(file.path))
