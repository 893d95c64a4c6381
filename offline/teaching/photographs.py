"""The photographs of a folder with one subfolder per class."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from offline.contents import Content
from offline.errors import TeachingError
from offline.files import FoundFile, find_files
from offline.images import Read


def find_photographs(folder: Path) -> list[FoundFile]:
    """Find the files in the subfolders, each of which is a class.

    Raises:
        TeachingError: there are fewer than two subfolders with files.
    """
    if not folder.is_dir():
        raise TeachingError(f"{folder} is no folder; give one with a subfolder per class")
    files = [file for file in find_files([folder]) if not file.left_out and label_of(file.name)]
    labels = sorted({label_of(file.name) for file in files})
    if len(labels) < 2:
        found = f"only the class {labels[0]}" if labels else "no subfolder with files"
        raise TeachingError(
            f"{folder} has {found}; put the photographs of each class into a subfolder that has "
            "its name, for instance happy/, neutral/ and sad/"
        )
    return files


def label_of(name: str) -> str:
    """Return the class of a file by its name relative to the folder, or "" if it has none."""
    parts = PurePath(name).parts
    return parts[0] if len(parts) > 1 else ""


class Digests:
    """Reads files, and remembers the sha256 of each image, to find copies."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._digests: dict[str, bytes] = {}

    def read(self, file: FoundFile) -> Content:
        """Read a file; called from any thread."""
        content = self._read(file)
        self._digests[file.name] = hashlib.sha256(content.data).digest()
        return content

    def copies(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the name of each copy among `names`, and why it is left out.

        The first of several equal pictures of one class stays. Equal pictures of several classes
        are all left out: one of their classes is wrong.
        """
        same: dict[bytes, list[str]] = defaultdict(list)
        for name in names:
            same[self._digests[name]].append(name)
        for equal in same.values():
            if len(set(map(label_of, equal))) > 1:
                for name in equal:
                    others = [other for other in equal if label_of(other) != label_of(name)]
                    yield name, f"the same picture as {others[0]}, which has another class"
            else:
                yield from ((name, f"the same picture as {equal[0]}") for name in equal[1:])
