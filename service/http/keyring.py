"""API keys by hash: several at once, from the environment and from a file that may change."""

import hmac
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import structlog

from engines.errors import EngineError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")
# Secret scanners find a key that leaked by what it begins with.
PREFIX = "emotions_"
# Seconds between two looks at the file of keys.
EVERY_S = 1.0

log = structlog.get_logger("emotions.keys")


class KeysError(EngineError):
    """Keys that cannot be read; the message names the file and the line, never a key."""


class Key(NamedTuple):
    """A key's name and the SHA-256 of its UTF-8 bytes, 32 bytes.

    A plain hash will do: a key made by `new_key` has 256 bits of chance, which no list of likely
    passwords holds.
    """

    name: str
    digest: bytes

    def line(self) -> str:
        """As it stands in a file of keys."""
        return f"{self.name}:{self.digest.hex()}"


def new_key(name: str) -> tuple[str, Key]:
    """Make a key from 32 random bytes; return it with what to remember of it.

    Raises:
        KeysError: the name has other marks than letters, digits, dots, dashes, underscores.
    """
    if not NAME.fullmatch(name):
        raise KeysError(
            f"{name!r} cannot name a key; take up to 64 letters, digits, dots, dashes, underscores"
        )
    key = PREFIX + secrets.token_urlsafe(32)
    return key, Key(name, _digest(key))


class KeyRing:
    """The keys that are valid now; while `watched`, a file that changes is read again."""

    def __init__(self, given: Iterable[str] = (), file: Path | None = None) -> None:
        """Read the keys: `given` are KEY or NAME:KEY, `file` has a line NAME:SHA256 for each.

        Raises:
            KeysError: a key is empty, or the file is missing or has a line of another form.
        """
        self._given = [_given(text, i) for i, text in enumerate(given, 1)]
        self._file = file
        self._seen = self._stamp()
        self._filed = list(_filed(file)) if file else []

    @property
    def required(self) -> bool:
        """Whether a key must be shown. A file asks for keys even while it holds none."""
        return bool(self._given) or self._file is not None

    def owner(self, shown: str) -> str | None:
        """The name of the key `shown`, or None if it is not valid.

        All digests are compared, each in constant time, so that how long it takes tells nothing.
        """
        digest, found = _digest(shown), None
        for key in [*self._given, *self._filed]:
            if hmac.compare_digest(key.digest, digest):
                found = key.name
        return found if shown else None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Refresh about once a second, until the block ends.

        In a thread, which a file system that hangs may stop without stopping requests or the end.
        """
        over = threading.Event()

        def watch() -> None:
            while not over.wait(EVERY_S):
                self.refresh()

        if self._file is not None:
            threading.Thread(target=watch, name="keys", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def refresh(self) -> None:
        """Read the file again if it has changed; if it cannot be read, the keys stay valid."""
        stamp = self._stamp()
        if self._file is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._filed = list(_filed(self._file))
        except KeysError as error:
            log.error("keys.refused", reason=str(error))
        else:
            log.info("keys.read", names=sorted({key.name for key in self._filed}))

    def _stamp(self) -> tuple[int, ...]:
        """What tells one state of the file from another, a replaced one included."""
        try:
            found = self._file and self._file.stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else ()


def _given(text: str, number: int) -> Key:
    name, colon, key = text.rpartition(":")
    if colon and not NAME.fullmatch(name):
        raise KeysError(f"key {number} of EMOTIONS_API_KEYS: write it as KEY or NAME:KEY")
    if not key.strip():  # of a variable that is not set
        raise KeysError(
            f"key {number} of EMOTIONS_API_KEYS is empty; make one with `emotions keys new NAME`"
        )
    return Key(name or f"key-{number}", _digest(key))


def _filed(file: Path) -> Iterator[Key]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(
            f"{file}: the API keys cannot be read ({error}); make it readable text, or make a "
            "key with `emotions keys new NAME`"
        ) from error
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, _, digest = text.partition(":")
        if not (NAME.fullmatch(name) and DIGEST.fullmatch(digest)):
            raise KeysError(
                f"{file}, line {number}: not NAME:SHA256; `emotions keys new NAME` writes one"
            )
        yield Key(name, bytes.fromhex(digest))


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
