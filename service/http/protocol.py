"""Limits of one connection that uvicorn lacks.

uvicorn waits forever for the rest of a request's head, however long that grows, and for a client
that goes on sending or does not read what was already answered. It accepts any number of
connections, or answers requests beyond a number in plain text.
"""

import asyncio
import uuid
from collections.abc import Iterable, Sized
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, cast

import httptools
from fastapi import FastAPI
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from analysis.errors import OverloadedError
from service.http import problems
from service.settings import Settings
from service.telemetry.metrics import Metrics

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 200
# Seconds for a client beyond the limit of connections to read its refusal.
LINGER_S = 1.0
FULL = "too many connections are open; connect again later"
RETRY = [(name.lower().encode(), value.encode()) for name, value in OverloadedError.headers.items()]
CLOSE = (b"connection", b"close")
# uvicorn's own hooks that are overridden here; the others are those of asyncio and httptools.
OVERRIDDEN = ("on_response_complete", "send_400_response")
if missing := [name for name in OVERRIDDEN if not hasattr(HttpToolsProtocol, name)]:
    raise ImportError(
        f"uvicorn {version('uvicorn')} lacks HttpToolsProtocol.{missing[0]}; install the version "
        "that requirements/service.txt names"
    )


class Flow(FlowControl):
    """Reads no further while requests wait for their turn; uvicorn reads on after each answer."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on connections, on the head of a request, and on silence."""

    def __init__(self, config: Config, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        state = cast("FastAPI", config.app).state
        settings: Settings = state.settings
        self._metrics: Metrics = state.metrics
        self._max_connections: int = state.max_connections
        self._patience_s = settings.patience_s
        self._timer: asyncio.TimerHandle | None = None
        self._turned_away = False
        self._in_head, self._whole = True, True
        self._bytes = self._headers = self._unsent = 0
        self._refusal: HTTPStatus | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport, self.pipeline)
        if len(self.connections) > self._max_connections:
            self._turn_away()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        if self._in_head:
            self._bytes += len(data)
        super().data_received(data)
        if self._in_head and self._bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._in_head and self._timer is None and self._answered:
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._whole = True, False
        self._bytes = self._headers = 0
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer after the body."""
        self._headers += 1
        if self._headers > MAX_HEADERS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise httptools.HttpParserError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        self._in_head, self._whole, self._bytes = True, True, 0
        super().on_message_complete()
        if self._answered:  # before it was sent; uvicorn no longer waits for the next one
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # The rest is read and thrown away: a client that is still sending would otherwise find
        # its connection reset instead of its answer.
        if not self._whole or self.transport.get_write_buffer_size():
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that cannot be parsed with a problem."""
        self._refuse(self._refusal or HTTPStatus.BAD_REQUEST, msg)

    @property
    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _turn_away(self) -> None:
        """Answer a connection beyond the limit, and close it when the client has or a second later.

        To close at once would reset the connection of a client that is sending its request.
        """
        self.connections.discard(self)
        self._turned_away = True
        self._metrics.refused.labels(OverloadedError.code).inc()
        self._answer(OverloadedError.status, OverloadedError.code, FULL, RETRY)
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _refuse(self, status: HTTPStatus, detail: str = "") -> None:
        """Close, with an answer unless the client would take it for that of another request."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        waiting = not self._in_head and not self.cycle.response_started and not self.pipeline
        if waiting or (self._in_head and self._answered):
            self._answer(status, status.name.lower(), detail or status.description)
        self.transport.close()

    def _answer(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        problem = problems.made(status, code, detail, uuid.uuid4().hex)
        headers = [*self.server_state.default_headers, *headers, CLOSE]
        self.transport.write(problems.whole(problem, headers))

    def _wait(self) -> None:
        self._stop_waiting()
        self._unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(self._patience_s, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lose_patience(self) -> None:
        self._timer = None
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent >= self._unsent:
            self.transport.abort()
        elif unsent or not self._answered:
            self._wait()
        elif self._in_head and not self._whole:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._in_head:
            self.transport.close()
        else:
            self.transport.abort()
