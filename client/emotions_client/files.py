"""Image files in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def images_in(folder: Path) -> Iterator[Path]:
    """Yield the image files in a folder and its subfolders, in order, one folder at a time.

    A subfolder that cannot be read is yielded itself, so that its error appears as a result.

    Raises:
        OSError: `folder` cannot be read.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            try:
                yield from images_in(path)
            except OSError:
                yield path
        elif path.suffix.lower() in SUFFIXES and _may_be_file(entry):
            yield path


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # yielded, so that its error appears as a result
        return True
