"""Files that appear whole or not at all."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from engines.errors import EngineError

# A write to a full disk raises these without the name of the file.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; it replaces `path` if the block ends without error.

    A block that fails or is killed leaves `path` unchanged. Errors of the block that do not come
    from the temporary file are raised unchanged.

    Raises:
        EngineError: the folder cannot be written to, or the disk is full.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if failed_to_write(error, temporary):
            raise _cannot_write(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of `path`, which also holds between machines if their file system has locks.

    `waiting` is called if another process has the lock. Nothing is locked where no lock file can be
    written, because then nothing else can, and on a file system without locks.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.with_name(f".{path.name}.lock").open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def failed_to_write(error: OSError, path: Path) -> bool:
    """Whether an error comes from writing `path`, and not from another file."""
    if error.filename is None:
        return error.errno in DISK_FULL
    return str(error.filename) == str(path)


def _temporary(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    except OSError as error:
        raise _cannot_write(path, error) from error
    os.close(handle)
    return Path(name)


def _cannot_write(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"cannot write {path} ({error.strerror}); make room or let this user write to the "
        "folder, or choose another folder (EMOTIONS_PLANS for plans)"
    )
