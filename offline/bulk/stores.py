"""The folder or object store of a place, opened by obstore, and the messages of its errors."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import LocalStore, ObjectStore, from_url

from offline.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# What begins like a URL is no folder, although one could have such a name.
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
STORE = re.compile(r"(?:s3|gs|az)://[^/]")
# In these seconds Ctrl-C has no effect; see also `offline.bulk.storage.PAUSES_S`.
RETRY: "RetryConfig" = {
    "max_retries": 5,
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=4)},
}
# A video may take hours. Without a limit for the whole request, the limit for each read finds a
# dead connection. Only an endpoint that the user names has no TLS.
CLIENT: "ClientConfig" = {"timeout": "7d", "read_timeout": "30s", "allow_http": True}
# The code and the message of an error in the answers of S3, Google and Azure.
ANSWER = re.compile(r"<Code>(.*?)</Code>\s*<Message>(.*?)\s*(?:RequestId:.*)?</Message>")


def is_url(place: str) -> bool:
    """Whether a place is a URL; otherwise it is a folder."""
    return URL.match(place) is not None


def absolute(place: str) -> str:
    """Return a place in the one form that all machines and later runs understand.

    Raises:
        StorageError: it is neither a folder nor the URL of an object store.
    """
    if not place or (is_url(place) and not STORE.match(place)):
        raise StorageError(f"{place!r} is neither a folder nor s3://…, gs://… or az://…")
    return place.rstrip("/") if is_url(place) else str(Path(place).expanduser().resolve())


def open_store(place: str) -> ObjectStore:
    """Open a folder, which is created if it is missing, or the object store of a URL.

    Raises:
        StorageError: the URL is wrong, or the folder cannot be created.
    """
    place = absolute(place)
    try:
        if is_url(place):
            return from_url(place, client_options=CLIENT, retry_config=RETRY)
        return LocalStore(place, mkdir=True)
    except ValueError as error:
        raise StorageError(f"{place}: {error}") from error
    except OSError as error:
        raise StorageError(f"{place}: {error}; choose a folder that can be written") from error


def summary(error: BaseError) -> str:
    """Return the message of the store, or that of obstore without the dump of its source."""
    text = " ".join(str(error).partition("Debug source:")[0].split())
    if isinstance(error, InvalidPathError):
        return f"{text}; rename this object, or choose a folder without it"
    found = ANSWER.search(text)
    return f"{found[1]}: {found[2]}" if found else text
