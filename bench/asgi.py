"""The whole service in this process, without a server; its networks see one face in everything.

Request parsing, decoding, batching and answering are real. Only the networks are not, so that a
million requests take minutes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import FastAPI
from starlette.types import Message, Scope

from bench.fakes import instant
from service.http.app import create_app
from service.settings import Settings

URL = "/v1/emotions"


class Reply(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


@asynccontextmanager
async def application(settings: Settings, faces: int = 1) -> AsyncIterator[FastAPI]:
    """The application, started; the plans of its networks must have been built."""
    changes = {"isolate": False, "device_process": False}
    app = create_app(settings.model_copy(update=changes), engine=instant(str(faces)))
    async with app.router.lifespan_context(app):
        yield app


async def ask(
    app: FastAPI,
    content: bytes,
    headers: Mapping[bytes, bytes],
    query: bytes = b"",
    *,
    path: str = URL,
    method: str = "POST",
) -> Reply:
    """Send one request as a server would pass it on."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": list(headers.items()),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    exchange = _Exchange(content)
    with contextlib.suppress(Exception):  # a server logs it; the answer was sent before
        await app(scope, exchange.receive, exchange.send)
    return Reply(exchange.status, bytes(exchange.body))


class _Exchange:
    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self.status, self.body = 0, bytearray()

    async def receive(self) -> Message:
        if self._content is None:
            await _never()
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
        else:
            self.body += message.get("body", b"")


async def _never() -> None:
    """Wait until cancelled: the client stays connected."""
    await asyncio.Event().wait()
