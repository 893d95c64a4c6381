"""Image and video files below the paths of a command line: files, folders, patterns."""

import glob
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from offline.names import printable

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv"}


class FoundFile(NamedTuple):
    """A file, and its path relative to the common folder of all paths.

    `error` is why a folder cannot be listed, and empty for files.
    """

    path: Path
    name: str
    error: str = ""


class _Entry(NamedTuple):
    """A path as the user wrote it, and its absolute path."""

    path: Path
    place: Path
    error: str = ""

    @property
    def is_video(self) -> bool:
        return not self.error and self.path.suffix.lower() in VIDEO_SUFFIXES


def find_files(
    paths: Sequence[Path], exclude: Path | None = None, *, videos: bool = False
) -> Iterator[FoundFile]:
    """Yield the images of `paths` in order, or the videos instead.

    In a folder or pattern, only files with a known suffix count. A file that `paths` name directly
    is a video if it has the suffix of one, and an image otherwise. Each file is yielded once, even
    if paths overlap; files below the folder `exclude` are not. A path that does not exist is
    yielded too, so that reading it reports the error, and so is a folder that cannot be listed.
    Folders are listed one at a time, so memory does not grow with the tree.
    """
    named = _named(paths)
    base = _common_folder(named)
    excluded = Path(os.path.realpath(exclude)) if exclude else None
    skip = {*named, excluded}
    for place, path in named.items():
        if excluded and place.is_relative_to(excluded):
            continue
        for entry in _walk(path, place, skip) if _is_dir(path) else [_Entry(path, place)]:
            if entry.is_video == videos:
                name = printable(entry.place.relative_to(base).as_posix())
                yield FoundFile(entry.path, name, entry.error)


def has_videos(paths: Sequence[Path], exclude: Path | None = None) -> bool:
    """Whether `find_files` finds a video."""
    return any(True for _ in find_files(paths, exclude, videos=True))


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the folder that the names of `find_files` are relative to."""
    return _common_folder(_named(paths))


def all_inside(paths: Sequence[Path], folder: Path) -> bool:
    """Whether all of `paths` lie in `folder`: excluding it would leave no file."""
    excluded = Path(os.path.realpath(folder))
    return all(place.is_relative_to(excluded) for place in _named(paths))


def _named(paths: Sequence[Path]) -> dict[Path, Path]:
    """Expand patterns; return each path once, by its absolute path."""
    return {_place(found): found for path in paths for found in _expand(path)}


def _expand(path: Path) -> Iterable[Path]:
    """Return the files that a quoted pattern matches, or the path itself."""
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    matches = (Path(match) for match in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207
    return [match for match in matches if _is_media(match)] or [path]


def _place(path: Path) -> Path:
    """Return the absolute path; a link to a file counts as a file in the link's folder.

    `..` is resolved: a name that contains it would lead out of the folder for the results.
    """
    if _is_dir(path) or path.name == "..":
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent), path.name)


def _common_folder(named: dict[Path, Path]) -> Path:
    folders = (place if _is_dir(path) else place.parent for place, path in named.items())
    return Path(os.path.commonpath(list(folders)))


def _walk(folder: Path, place: Path, skip: Container[Path | None]) -> Iterator[_Entry]:
    """Walk a folder without the paths in `skip`, which are walked separately or excluded."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield _Entry(folder, place, f"cannot list the folder: {error.strerror}")
        return
    for entry in listed:
        path, entry_place = folder / entry.name, place / entry.name
        if entry_place in skip:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, entry_place, skip)
        elif _is_media(path):
            yield _Entry(path, entry_place)


def _is_media(path: Path) -> bool:
    if path.suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        return False
    try:
        return path.is_file()
    except OSError:  # without permission for the folder; reading the file reports the error
        return True


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
