"""The files below a folder, also behind links, each once."""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Tables that this project writes: a folder with a pair of them has results, and no originals.
TABLES = ({"faces.csv", "images.csv"}, {"faces.csv", "frames.csv"})


class Entry(NamedTuple):
    """A path as the user wrote it, and its absolute path, which gives the name of the results.

    For `error` and `left_out` see `FoundFile`.
    """

    path: Path
    place: Path
    error: str = ""
    left_out: str = ""


class _At(NamedTuple):
    """Where a walk is: see `Entry`; `real` is the path without links."""

    path: Path
    place: Path
    real: Path


class Walk:
    """Walks folders without the paths in `skip`, which are walked separately, and `excluded`.

    Links to folders are followed last: a file that is also found without a link keeps the name of
    its own place. Each folder is listed once, so loops end.
    """

    def __init__(self, skip: Collection[Path], excluded: Path | None) -> None:
        self._skip, self._excluded = skip, excluded
        self._listed: set[Path] = set()
        self._links: list[_At] = []

    def folder(self, path: Path, place: Path) -> Iterator[Entry]:
        """Yield the files below a folder; `place` is its real path."""
        yield from self._walk(_At(path, place, place))

    def links(self) -> Iterator[Entry]:
        """Yield the files behind the links that `folder` has found."""
        while self._links:
            yield from self._walk(self._links.pop(0))

    def _walk(self, top: _At) -> Iterator[Entry]:
        pending = [self._list(top)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif isinstance(found, Entry):
                yield found
            else:
                pending.append(self._list(found))

    def _list(self, folder: _At) -> Iterator[_At | Entry]:
        """Yield the folders and files in a folder, unless it has been listed before."""
        if folder.real in self._listed:
            return
        self._listed.add(folder.real)
        try:
            with os.scandir(folder.path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"cannot list the folder: {error.strerror}"
            yield Entry(folder.path, folder.place, reason)
            return
        if folder.real not in self._skip and _has_results(listed):
            yield Entry(folder.path, folder.place, left_out="results")
            return
        for entry in listed:
            at = _At(*(parent / entry.name for parent in folder))
            if at.real in self._skip or at.real == self._excluded:
                continue
            try:
                found = self._classify(entry, at)
            except OSError:  # without permission; reading the file reports the error
                found = Entry(at.path, at.place)
            if found:
                yield found

    def _classify(self, entry: "os.DirEntry[str]", at: _At) -> _At | Entry | None:
        if entry.name.startswith("."):
            return Entry(at.path, at.place, left_out="hidden")
        if entry.is_symlink() and not at.path.exists():
            return Entry(at.path, at.place, "the link leads nowhere")
        if entry.is_dir():
            return self._follow(at) if entry.is_symlink() else at
        return Entry(at.path, at.place, left_out="" if entry.is_file() else "special")

    def _follow(self, link: _At) -> Entry | None:
        """Leave a link to a folder for later; one that leads upwards would leave the named path."""
        target = Path(os.path.realpath(link.path))
        if link.real.is_relative_to(target):
            return Entry(link.path, link.place, left_out="looping")
        if not (self._excluded and target.is_relative_to(self._excluded)):
            self._links.append(link._replace(real=target))
        return None


def _has_results(listed: "Sequence[os.DirEntry[str]]") -> bool:
    names = {entry.name for entry in listed}
    return any(tables <= names for tables in TABLES)


def is_dir(path: Path) -> bool:
    """Whether a path is a folder, or a link to one; false without the permission to see it."""
    try:
        return path.is_dir()
    except OSError:
        return False
