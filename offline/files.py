"""What a person names on the command line, to image files: files, folders, patterns."""

import glob
import hashlib
import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from offline.tables import OutputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv"}
# Control characters, line separators, surrogates (bytes that are no UTF-8), and a backslash where
# it would be taken for one of ours.
UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})"
)
# File systems take 255 bytes; some are left for the name of what is not whole yet.
LONGEST = 240


class Source(NamedTuple):
    """A file, its path below what all the named paths have in common, and why it is not read.

    The last is of a folder that cannot be listed, and empty otherwise.
    """

    path: Path
    name: str
    unread: str = ""


class _Found(NamedTuple):
    path: Path
    place: Path
    unread: str = ""

    @property
    def is_video(self) -> bool:
        return not self.unread and self.path.suffix.lower() in VIDEO_SUFFIXES


def find(
    paths: Sequence[Path], leave_out: Path | None = None, *, videos: bool = False
) -> Iterator[Source]:
    """Walk `paths` in order for images, or instead for videos, in folders and patterns too.

    A file that is named is an image unless its name ends as a video's.

    Nothing below the folder `leave_out` is given, and nothing twice, however the paths overlap; a
    path that is not there is given as it is, for its reader to report, and so is a folder that
    cannot be listed. Folders are read one at a time, so memory does not grow with the tree.
    """
    named = _named(paths)
    base = _common(named)
    hidden = Path(os.path.realpath(leave_out)) if leave_out else None
    apart = {*named, hidden}
    for place, path in named.items():
        if hidden and place.is_relative_to(hidden):
            continue
        for found in _walk(path, place, apart) if _is_dir(path) else [_Found(path, place)]:
            if found.is_video == videos:
                name = printable(found.place.relative_to(base).as_posix())
                yield Source(found.path, name, found.unread)


def common(paths: Sequence[Path]) -> Path:
    """The folder that names of `find` are relative to."""
    return _common(_named(paths))


def all_inside(paths: Sequence[Path], folder: Path) -> bool:
    """Whether `find` that leaves out `folder` leaves out all that the paths name."""
    hidden = Path(os.path.realpath(folder))
    return all(place.is_relative_to(hidden) for place in _named(paths))


def printable(name: str) -> str:
    r"""A file's name as valid text of one line, other names as other texts.

    Names on disk may be any bytes. What cannot stay is written as `\xe9`, a byte that is no UTF-8
    or an ASCII character, or as `\u2028`, any other character.
    """
    return UNPRINTABLE.sub(_escape, os.fsencode(name).decode(errors="surrogateescape"))


def below(folder: Path, name: str) -> Path:
    """Where in `folder` goes what is made of the file that `find` calls `name`.

    Raises:
        OutputError: it would lie elsewhere, maybe in the place of somebody's original.
    """
    path = folder.joinpath(*map(_shortened, PurePath(name).parts))
    place = Path(os.path.realpath(folder.parent), folder.name)
    if place not in Path(os.path.realpath(path)).parents:
        raise OutputError(
            f"{path} leads out of {folder}; take away the link there, or choose another --out"
        )
    return path


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _shortened(part: str) -> str:
    """A name that escapes have made too long, cut and told from others by a hash."""
    data = part.encode()
    if len(data) <= LONGEST:
        return part
    suffix = PurePath(part).suffix
    end = "-" + hashlib.sha256(data).hexdigest()[:16] + (suffix if len(suffix) < 8 else "")
    return data[: LONGEST - len(end.encode())].decode(errors="ignore") + end


def _named(paths: Sequence[Path]) -> dict[Path, Path]:
    """What the paths name, each once, by its place."""
    return {_place(found): found for path in paths for found in _expand(path)}


def _expand(path: Path) -> Iterable[Path]:
    """The hits of a pattern, which shells leave to us when it is quoted."""
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    hits = (Path(hit) for hit in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207
    return [hit for hit in hits if _is_media(hit)] or [path]


def _place(path: Path) -> Path:
    """Where a path really is. A link to a file lies where the link does.

    `..` is taken out: names made of it would lead out of the folder for the results.
    """
    if _is_dir(path) or path.name == "..":
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent), path.name)


def _common(named: dict[Path, Path]) -> Path:
    folders = (place if _is_dir(path) else place.parent for place, path in named.items())
    return Path(os.path.commonpath(list(folders)))


def _walk(folder: Path, place: Path, apart: Container[Path | None]) -> Iterator[_Found]:
    """Walk a folder but for what is `apart`, given by itself or not at all."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield _Found(folder, place, f"cannot read the folder: {error.strerror}")
        return
    for entry in listed:
        path, there = folder / entry.name, place / entry.name
        if there in apart:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, there, apart)
        elif _is_media(path):
            yield _Found(path, there)


def _is_media(path: Path) -> bool:
    if path.suffix.lower() not in SUFFIXES | VIDEO_SUFFIXES:
        return False
    try:
        return path.is_file()
    except OSError:  # of a folder that is closed to us; the file's reader tells
        return True


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
