"""Folders for the results of a command."""

from collections.abc import Collection
from pathlib import Path

from offline.errors import OutputError


def check_only(out: Path, known: Collection[str]) -> None:
    """Check that `out` is new, or that its files have only the names of earlier results, `known`.

    Raises:
        OutputError: it is a file, or holds other files.
    """
    if out.exists() and (not out.is_dir() or {file.name for file in out.iterdir()} - set(known)):
        raise OutputError(f"{out} holds other files; choose another --out")
