"""API keys and their hashes: makes keys, and reads them from the settings and from a file."""

import re
import secrets
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engines.errors import EngineError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")
# Secret scanners recognise a leaked key by its prefix.
PREFIX = "emotions_"


class KeysError(EngineError):
    """Keys that cannot be read; the message names the file and the line, never a key."""


class Key(NamedTuple):
    """The name of a key and the SHA-256 of its UTF-8 bytes, 32 bytes.

    A plain hash is enough: a key from `new_key` has 256 random bits, which cannot be guessed.
    """

    name: str
    digest: bytes

    def line(self) -> str:
        """Return the line of this key in a file of keys."""
        return f"{self.name}:{self.digest.hex()}"


def new_key(name: str) -> tuple[str, Key]:
    """Make a key from 32 random bytes; return it and its hash.

    Raises:
        KeysError: the name has characters other than letters, digits, dots, dashes, underscores.
    """
    if not NAME.fullmatch(name):
        raise KeysError(
            f"{name!r} cannot name a key; use up to 64 letters, digits, dots, dashes, underscores"
        )
    key = PREFIX + secrets.token_urlsafe(32)
    return key, Key(name, digest(key))


def digest(key: str) -> bytes:
    """Return the SHA-256 of a key."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def from_settings(keys: Iterable[str]) -> list[Key]:
    """Hash keys that are given as KEY or NAME:KEY.

    Raises:
        KeysError: a key has another form or is empty.
    """
    return [_from_setting(text, i) for i, text in enumerate(keys, 1)]


def _from_setting(text: str, number: int) -> Key:
    name, colon, key = text.rpartition(":")
    if colon and not NAME.fullmatch(name):
        raise KeysError(f"key {number} of EMOTIONS_API_KEYS: write it as KEY or NAME:KEY")
    if not key.strip():  # e.g. from an unset variable
        raise KeysError(
            f"key {number} of EMOTIONS_API_KEYS is empty; make one with `emotions keys new NAME`"
        )
    return Key(name or f"key-{number}", digest(key))


def from_file(file: Path) -> list[Key]:
    """Read a file with a line NAME:SHA256 per key; `#` starts a comment.

    Raises:
        KeysError: the file cannot be read, or a line has another form.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(
            f"{file}: the API keys cannot be read ({error}); make it a readable text file, or "
            "make a key with `emotions keys new NAME`"
        ) from error
    return list(_from_lines(file, lines))


def _from_lines(file: Path, lines: Iterable[str]) -> Iterator[Key]:
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, _, hexadecimal = text.partition(":")
        if not (NAME.fullmatch(name) and DIGEST.fullmatch(hexadecimal)):
            raise KeysError(
                f"{file}, line {number}: not NAME:SHA256; `emotions keys new NAME` writes one"
            )
        yield Key(name, bytes.fromhex(hexadecimal))
