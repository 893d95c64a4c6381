"""Authentication of requests by API key."""

import hmac
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from fastapi import Request

from service.errors import UnauthorizedError
from service.http import keys

# Seconds between two checks of the file of keys.
INTERVAL_S = 1.0

log = structlog.get_logger("emotions.keys")


class ApiKeys:
    """The valid API keys. During `watched`, a file of keys is read again when it changes."""

    def __init__(self, given: Iterable[str] = (), file: Path | None = None) -> None:
        """Read `given`, each KEY or NAME:KEY, and `file`, which has a line NAME:SHA256 per key.

        Raises:
            KeysError: a key is empty, or the file is missing or has a line of another form.
        """
        self._given = keys.from_settings(given)
        self._file = file
        self._version = self._current_version()
        self._filed = keys.from_file(file) if file else []

    @property
    def required(self) -> bool:
        """Whether requests need a key. An empty file of keys grants no access."""
        return bool(self._given) or self._file is not None

    def owner(self, key: str) -> str | None:
        """Return the name of a key, or None if it is not valid.

        The digests of all keys are compared, each in constant time, so that the duration reveals
        nothing.
        """
        digest, found = keys.digest(key), None
        for valid in [*self._given, *self._filed]:
            if hmac.compare_digest(valid.digest, digest):
                found = valid.name
        return found if key else None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """During the block, call `refresh` about once per second.

        A thread calls it, so that a file system that hangs blocks neither requests nor shutdown.
        """
        stopped = threading.Event()

        def watch() -> None:
            while not stopped.wait(INTERVAL_S):
                self.refresh()

        if self._file is not None:
            threading.Thread(target=watch, name="keys", daemon=True).start()
        try:
            yield
        finally:
            stopped.set()

    def refresh(self) -> None:
        """Read the file again if it has changed; on an error the keys stay as they are."""
        version = self._current_version()
        if self._file is None or version == self._version:
            return
        self._version = version
        try:
            self._filed = keys.from_file(self._file)
        except keys.KeysError as error:
            log.error("keys.refused", reason=str(error))
        else:
            log.info("keys.read", names=sorted({key.name for key in self._filed}))

    def _current_version(self) -> tuple[int, ...]:
        """Return values that change when the file is written or replaced."""
        try:
            found = self._file and self._file.stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else ()


async def authorize(request: Request) -> str | None:
    """Require a valid key, unless the service has no keys.

    A key comes as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Its name goes into the state of
    the request, for the log and the metrics.

    Returns:
        The name of the key, or None if the service has no keys.

    Raises:
        UnauthorizedError: no key, or not a valid one.
    """
    valid: ApiKeys = request.app.state.keys
    if not valid.required:
        return None
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    key = bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    name = valid.owner(key.strip())
    if name is None:
        raise UnauthorizedError(
            "send a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
        )
    request.state.key = name
    return name
