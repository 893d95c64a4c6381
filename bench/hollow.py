"""The whole service in this process, with networks that see one face in everything.

All of request parsing, decoding, batching and answering is real; only what an engine would compute
is not, so that a million requests take minutes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fastapi import FastAPI
from starlette.types import Message, Scope

from engines.catalog import ModelSpec
from engines.onnxruntime import OnnxRuntime
from engines.runner import Array, Feeds, Runner
from service.analysis import Analyst
from service.app import create_app
from service.refusals import Refusals
from service.settings import Settings
from service.wiring import open_pipeline

URL = "/v1/emotions"
FACE, EYES = (40.0, 20.0, 140.0, 150.0), (70.0, 60.0)
LENGTH = 128  # of an embedding


class HollowRunner(Runner):
    """Answers at once, and always the same."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    def __exit__(self, *error: object) -> None:
        pass

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """One face at the same place for each image; every label alike, and one person."""
        count = len(next(iter(feeds.values())))
        if self._spec.task == "emotion":
            labels = len(self._spec.labels)
            return {"scores": np.full((count, labels), 1 / labels, np.float32)}
        if self._spec.task == "embedder":
            return {"embedding": np.full((count, LENGTH), LENGTH**-0.5, np.float32)}
        return {
            "scores": np.full((count, 1), 0.9, np.float32),
            "boxes": np.tile(np.array(FACE, np.float32), (count, 1, 1)),
            "landmarks": np.tile(np.array(EYES, np.float32), (count, 1, 5, 1)),
        }


class HollowEngine(OnnxRuntime):
    """ONNX Runtime's engine, whose plans are not run."""

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        return HollowRunner(spec)


class Reply(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


@asynccontextmanager
async def hollow(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started; its plans must have been built, though they are not run."""
    changes = {"engine": "onnxruntime", "isolate": False}
    settings = settings.model_copy(update=changes)
    app = create_app(settings)
    state = app.state
    models = state.models._replace(engine=HollowEngine())
    state.pipeline = open_pipeline(settings, models, state.metrics)
    state.refusals = Refusals(state.pipeline.gate, settings, state.metrics)
    state.analyst = Analyst(state.pipeline, state.metrics, state.fetcher, settings.max_body_bytes)
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
    """Send one request as a server would hand it over, without one."""
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
    """Wait until cancelled: the client stays on the line."""
    await asyncio.Event().wait()
