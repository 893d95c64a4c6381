"""The whole service in this process, without a server, with networks that see one face everywhere.

Parsing, decoding, batching and answering are real. The networks are fake, so that a million
requests take minutes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import FastAPI
from starlette.types import Message, Scope

from bench.fakes.engine import instant
from service.http.app import create_app
from service.settings import Settings

URL = "/v1/emotions"


class Reply(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


@asynccontextmanager
async def application(settings: Settings, faces: int = 1) -> AsyncIterator[FastAPI]:
    """Start the application; the plans of its networks must exist."""
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
    """Send one request to the application as a server would."""
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
    requests: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
    status, body = 0, bytearray()

    async def receive() -> Message:
        if not requests:
            await asyncio.Event().wait()  # the client stays connected
        return requests.pop()

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        body.extend(message.get("body", b""))

    with contextlib.suppress(Exception):  # a server logs it; the answer was sent before
        await app(scope, receive, send)
    return Reply(status, bytes(body))
