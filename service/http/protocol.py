"""Limits per connection that uvicorn lacks.

uvicorn waits forever for the rest of the head of a request, however long the head grows. It also
waits forever for a client that goes on sending, or does not read, after its answer. It accepts any
number of connections, or rejects requests beyond a limit in plain text.
"""

import asyncio
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

import httptools
from fastapi import FastAPI
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from analysis.errors import OverloadedError
from service.http import problems
from service.http.uvicorn_internals import PipelineFlowControl
from service.settings import Settings
from service.telemetry.metrics import Metrics

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 200
# Seconds for a client beyond the limit of connections to read its answer.
LINGER_S = 1.0
RETRY = [(name.lower().encode(), value.encode()) for name, value in OverloadedError.headers.items()]
CLOSE = (b"connection", b"close")


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on connections, on heads of requests, and on waits."""

    def __init__(self, config: Config, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        state = cast("FastAPI", config.app).state
        settings: Settings = state.settings
        self._metrics: Metrics = state.metrics
        self._max_connections: int = state.max_connections
        self._patience_s = settings.patience_s
        self._timer: asyncio.TimerHandle | None = None
        self._rejected = False  # beyond the limit of connections
        self._in_head, self._complete = True, True  # of the request that is being received
        self._bytes = self._headers = self._unsent = 0
        self._header_error: HTTPStatus | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlowControl(transport, self.pipeline)
        if len(self.connections) > self._max_connections:
            self._reject_connection()
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rejected:
            return
        if self._in_head:
            self._bytes += len(data)
        super().data_received(data)
        if self._in_head and self._bytes > MAX_HEAD_BYTES:
            self._reject_request(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._in_head and self._timer is None and self._answered:
            self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._complete = True, False
        self._bytes = self._headers = 0
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer after the body."""
        self._headers += 1
        if self._headers > MAX_HEADERS:
            self._header_error = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise httptools.HttpParserError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        self._in_head, self._complete, self._bytes = True, True, 0
        super().on_message_complete()
        if self._answered:  # the answer came before the end of the body
            self._start_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Read and discard the rest of the body: otherwise a client that is still sending would get
        # a reset instead of its answer.
        if not self._complete or self.transport.get_write_buffer_size():
            self._start_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_timer()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP with a problem."""
        self._reject_request(self._header_error or HTTPStatus.BAD_REQUEST, msg)

    @property
    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _reject_connection(self) -> None:
        """Answer a connection beyond the limit; close it when the client does, or after a second.

        Closing it at once would reset the connection of a client that is sending its request.
        """
        self.connections.discard(self)
        self._rejected = True
        error = OverloadedError("too many connections are open; connect again later")
        self._metrics.requests.count_refusal(error.code)
        self._answer(error.status, error.code, str(error), RETRY)
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _reject_request(self, status: HTTPStatus, detail: str = "") -> None:
        """Close; answer first, unless the client would take it for another request's answer."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        in_body = not self._in_head and not self.cycle.response_started and not self.pipeline
        if in_body or (self._in_head and self._answered):
            self._answer(status, status.name.lower(), detail or status.description)
        self.transport.close()

    def _answer(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        problem = problems.make(status, code, detail, uuid.uuid4().hex)
        headers = [*self.server_state.default_headers, *headers, CLOSE]
        self.transport.write(problems.serialise(problem, headers))

    def _start_timer(self) -> None:
        self._stop_timer()
        self._unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(self._patience_s, self._timed_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        self._timer = None
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent >= self._unsent:  # the client reads nothing
            self.transport.abort()
        elif unsent or not self._answered:
            self._start_timer()
        elif self._in_head and not self._complete:
            self._reject_request(HTTPStatus.REQUEST_TIMEOUT)
        elif self._in_head:  # idle between two requests
            self.transport.close()
        else:  # the client still sends the body of an answered request
            self.transport.abort()
