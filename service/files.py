"""What a person names on the command line, to image files: files, folders, patterns."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv"}


class Source(NamedTuple):
    """An image file, and its path below what all the named paths have in common."""

    path: Path
    name: str


def find(
    paths: Sequence[Path], leave_out: Path | None = None, *, videos: bool = False
) -> Iterator[Source]:
    """Walk `paths` in order for images, or instead for videos, in folders and patterns too.

    A file that is named is an image unless its name ends as a video's.

    Nothing below the folder `leave_out` is given; a path that is not there is given as it is, for
    its reader to report. Folders are read one at a time, so memory does not grow with the tree.
    """
    named = [found for path in paths for found in _expand(path)]
    base = _common(named)
    hidden = leave_out.absolute() if leave_out else None
    for path in named:
        for file in _walk(path) if path.is_dir() else [path]:
            wanted = (file.suffix.lower() in VIDEO_SUFFIXES) == videos
            if wanted and (hidden is None or hidden not in file.absolute().parents):
                yield Source(file, printable(os.path.relpath(file.absolute(), base)))


def printable(name: str) -> str:
    """A file's name as valid text of one line; names on disk may be any bytes."""
    text = os.fsencode(name).decode(errors="replace")
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _expand(path: Path) -> Iterable[Path]:
    """The hits of a pattern, which shells leave to us when it is quoted."""
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    hits = (Path(hit) for hit in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207
    return [hit for hit in hits if _is_media(hit)] or [path]


def _common(paths: Sequence[Path]) -> str:
    return os.path.commonpath([(p if p.is_dir() else p.parent).absolute() for p in paths])


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        elif _is_media(entry):
            yield entry


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES | VIDEO_SUFFIXES and path.is_file()
