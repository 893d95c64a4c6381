"""A fake service: clients whose requests a handler answers in process."""

from collections.abc import Callable

import httpx
from emotions_client import (
    AsyncClient,
    Client,
    Retry,
)

ONCE = Retry(attempts=1)

Handler = Callable[[httpx.Request], httpx.Response]

EMPTY = {"model": {"detector": "d", "emotion": "e", "embedder": None, "backend": "b"}, "images": []}


def result(name: str) -> dict[str, object]:
    return {"id": name, "width": 1, "height": 1, "faces": []}


def fake(handler: Handler, retry: Retry = ONCE) -> Client:
    """Return a client of a service that answers with `handler`."""
    return Client("http://fake", retry=retry, transport=httpx.MockTransport(handler))


def fake_async(handler: Handler, retry: Retry = ONCE) -> AsyncClient:
    return AsyncClient("http://fake", retry=retry, transport=httpx.MockTransport(handler))
