"""Names of files as text, and paths of the results that are made from them."""

import hashlib
import os
import re
import threading
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath

from offline.errors import OutputError

# Control characters, line separators, surrogates (bytes that are not UTF-8), and a backslash that
# would look like the start of an escape.
UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})"
)
# File systems allow 255 bytes; the rest is for the prefix of temporary files.
MAX_NAME_BYTES = 240


class ResultPaths:
    """Paths of results in a folder, where the names of originals differ. Any thread may use it.

    With `fold`, names that differ only in case get different paths; see `ignores_case`. `done` are
    the names of earlier results, which are kept.
    """

    def __init__(self, folder: Path, done: Iterable[str] = (), *, fold: bool) -> None:
        self._folder, self._fold, self._lock = folder, fold, threading.Lock()
        self._taken = {_folded(name) for name in done} if fold else set()

    def path(self, name: str) -> Path:
        """Return the path for the file that `find_files` calls `name`, or for a name made of it.

        Raises:
            OutputError: see `output_path`.
        """
        return output_path(self._folder, self._free(name) if self._fold else name)

    def _free(self, name: str) -> str:
        with self._lock:
            while _folded(name) in self._taken:
                name = with_hash(name)
            self._taken.add(_folded(name))
        return name


def with_hash(name: str) -> str:
    """Add a hash of a name to it, before its suffix."""
    pure = PurePath(name)
    return str(pure.with_name(f"{pure.stem}-{_digest(name)}{pure.suffix}"))


def ignores_case(file: Path) -> bool:
    """Whether an existing file has another name, too, which differs in case."""
    return os.path.lexists(file.with_name(file.name.swapcase()))


def printable(name: str) -> str:
    r"""Return a file's name as valid text of one line; different names give different texts.

    A name on disk may hold any bytes. A byte that is not UTF-8, or an unprintable ASCII character,
    is escaped as in `\xe9`; any other unprintable character is escaped as in `\u2028`.
    """
    return UNPRINTABLE.sub(_escape, os.fsencode(name).decode(errors="surrogateescape"))


def output_path(folder: Path, name: str) -> Path:
    """Return the path in `folder` of a result for the file that `find_files` calls `name`.

    Raises:
        OutputError: the path leads out of `folder`, where it could overwrite an original.
    """
    path = folder.joinpath(*map(_shorten, PurePath(name).parts))
    place = Path(os.path.realpath(folder.parent), folder.name)
    if place not in Path(os.path.realpath(path)).parents:
        raise OutputError(
            f"{path} leads out of {folder}; remove the link there, or choose another --out"
        )
    return path


def _folded(name: str) -> str:
    """Return what two names share that are one name for macOS or Windows."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # Python's stand-in for a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _shorten(part: str) -> str:
    """Shorten a name that escapes have made too long; a hash keeps it different from others."""
    data = part.encode()
    if len(data) <= MAX_NAME_BYTES:
        return part
    suffix = PurePath(part).suffix
    end = f"-{_digest(part)}" + (suffix if len(suffix) < 8 else "")
    return data[: MAX_NAME_BYTES - len(end.encode())].decode(errors="ignore") + end


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
