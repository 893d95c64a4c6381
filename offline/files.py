"""The files below the paths of a command line: files, folders, patterns."""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from offline.names import printable
from offline.walk import Entry, Walk, is_dir

# Names that promise an image or a video. A file with such a name that holds neither is damaged, and
# is reported; all other files that hold neither are only counted. The names decide nothing else.
PROMISING_IMAGE = re.compile(r"\.(?:jpe?g|jpe|jfif|mpo|png|webp|bmp|gif|tiff?|hei[cf]|avif|jxl)")
PROMISING_VIDEO = re.compile(r"\.(?:mp4|mov|m4v|3gp|mkv|webm|avi|mpe?g|vob|m2ts|mxf|wmv|flv|ogv)")


class FoundFile(NamedTuple):
    """A file, and its path relative to the common folder of all paths.

    `error` is why a folder cannot be listed, or a link not followed. `left_out` is why a file is
    not read, in one word. `named` is set for the paths of the command line.
    """

    path: Path
    name: str
    error: str = ""
    left_out: str = ""
    named: bool = False

    @property
    def suffix(self) -> str:
        """The end of the name in lower case, or "without suffix"."""
        return printable(self.path.suffix.lower()) or "without suffix"

    @property
    def promising(self) -> bool:
        """Whether the user expects an image or a video here."""
        return self.named or bool(PROMISING_IMAGE.fullmatch(self.suffix)) or self.promises_video

    @property
    def promises_video(self) -> bool:
        """Whether the name is that of a video."""
        return bool(PROMISING_VIDEO.fullmatch(self.suffix))


def find_files(paths: Sequence[Path], exclude: Path | None = None) -> Iterator[FoundFile]:
    """Yield the files of `paths` in order, whatever they hold.

    Each file is yielded once, even if paths overlap or links lead to its folder; files below the
    folder `exclude` are not. A path that does not exist is yielded too, so that reading it reports
    the error, and so is a folder that cannot be listed. Folders are listed one at a time, so memory
    does not grow with the files of the tree.
    """
    named = _named(paths)
    base = _common_folder(named)
    excluded = Path(os.path.realpath(exclude)) if exclude else None
    walk = Walk(named, excluded)
    for place, (path, direct) in named.items():
        if excluded and place.is_relative_to(excluded):
            continue
        if is_dir(path):
            yield from (_found(entry, base) for entry in walk.folder(path, place))
        else:
            yield _found(Entry(path, place), base)._replace(named=direct)
    yield from (_found(entry, base) for entry in walk.links())


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the folder that the names of `find_files` are relative to."""
    return _common_folder(_named(paths))


def all_inside(paths: Sequence[Path], folder: Path) -> bool:
    """Whether all of `paths` lie in `folder`: excluding it would leave no file."""
    excluded = Path(os.path.realpath(folder))
    return all(place.is_relative_to(excluded) for place in _named(paths))


def _found(entry: Entry, base: Path) -> FoundFile:
    name = printable(entry.place.relative_to(base).as_posix())
    return FoundFile(entry.path, name, entry.error, entry.left_out)


_Named = dict[Path, tuple[Path, bool]]


def _named(paths: Sequence[Path]) -> _Named:
    """Expand patterns; return paths by absolute path, each with whether the user wrote it."""
    found: _Named = {}
    for path in paths:
        for match in _expand(path):
            place, direct = _place(match), match == path
            found[place] = (match, direct or found.get(place, (match, False))[1])
    return found


def _expand(path: Path) -> Iterable[Path]:
    """Return what a quoted pattern matches, as a shell does, or the path itself."""
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
    return [Path(match) for match in matches] or [path]


def _place(path: Path) -> Path:
    """Return the absolute path; a link to a file counts as a file in the link's folder.

    `..` is resolved: a name that contains it would lead out of the folder for the results.
    """
    if is_dir(path) or path.name == "..":
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent), path.name)


def _common_folder(named: _Named) -> Path:
    folders = (place if is_dir(path) else place.parent for place, (path, _) in named.items())
    return Path(os.path.commonpath(list(folders)))
