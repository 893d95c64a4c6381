"""Limits per connection that uvicorn lacks.

uvicorn waits forever for the rest of the head of a request, however long the head grows. It also
waits forever for a client that goes on sending, or does not read, after its answer. It accepts any
number of connections, or rejects requests beyond a limit in plain text.
"""

import asyncio
import uuid
from itertools import chain
from typing import Any, NoReturn, cast

import httptools
import structlog
from fastapi import FastAPI
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from analysis.errors import OverloadedError, ServiceError
from service.errors import BadRequestError, HeadTimeoutError, HeadTooLargeError
from service.http import problems
from service.http.parser import Parser
from service.http.uvicorn_internals import PipelineFlowControl
from service.settings import Settings
from service.telemetry.metrics import Metrics

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 200
HEAD_LIMIT = f"the head has more than {MAX_HEAD_BYTES >> 10} KiB or {MAX_HEADERS} lines"
# Seconds for a client beyond the limit of connections to read its answer.
LINGER_S = 1.0
NO_HTTP = "this is not a valid request of HTTP/1.1"
CLOSE = (b"connection", b"close")
# What clients and balancers send if they expect another protocol on this port.
HINTS = {
    b"\x16\x03": "this port takes HTTP, not HTTPS; use http://, or terminate TLS in a proxy",
    b"PRI * HTTP/2": "this port takes HTTP/1.1; configure HTTP/1.1 instead of HTTP/2",
    b"PROXY ": "this port takes HTTP; turn the PROXY protocol off",
    b"\r\n\r\n\0\r\nQUIT\n": "this port takes HTTP; turn the PROXY protocol off",
}
log = structlog.get_logger("emotions.connection")


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on connections, on heads of requests, and on waits."""

    def __init__(self, config: Config, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.parser = Parser(self)
        state = cast("FastAPI", config.app).state
        settings: Settings = state.settings
        self._metrics: Metrics = state.metrics
        self._max_connections: int = state.max_connections
        self._patience_s = settings.patience_s
        self._timer: asyncio.TimerHandle | None = None
        self._rejected = False  # beyond the limit of connections
        self._in_head, self._complete = True, True  # of the request that is being received
        self._bytes = self._headers = self._unsent = 0
        self._header_error: ServiceError | None = None
        self._received = b""  # while it is parsed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlowControl(transport, self.pipeline)
        if len(self.connections) > self._max_connections:
            self._reject_connection()
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self.timeout_keep_alive_task is not None:  # it would keep this object alive
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rejected:
            return
        if self._in_head:
            self._bytes += len(data)
        self._received = data
        super().data_received(data)
        self._received = b""
        if self._in_head and self._bytes > MAX_HEAD_BYTES:
            self._reject_request(HeadTooLargeError(HEAD_LIMIT))
        elif self._in_head and self._timer is None and self._answered:
            self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._complete = True, False
        self._bytes = self._headers = 0
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer after the body.

        A large one is rejected before it has ended, by `data_received`, or with the whole head.
        """
        self._headers += 1
        if self._headers > MAX_HEADERS:
            self._refuse_head()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise httptools.HttpParserError
            return  # the parser parses the head again
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        self._stop_timer()
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_head, self._complete, self._bytes = True, True, 0
        super().on_message_complete()
        if self._answered:  # the answer came before the end of the body
            self._keep_alive()

    def parse_without_upgrade(self) -> Parser:
        """Give the head of the current request, without `Upgrade`, to a new parser; return it."""
        line = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        others = [b"%b: %b" % pair for pair in self.headers if pair[0] != b"upgrade"]
        self.parser = Parser(self)
        self.parser.feed_data(b"\r\n".join([b"%b %b HTTP/%b" % line, *others, b"", b""]))
        return self.parser

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Read and discard the rest of the body: otherwise a client that is still sending would get
        # a reset instead of its answer.
        if not self._complete or self.transport.get_write_buffer_size():
            self._start_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_timer()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer bytes that are not HTTP with a problem."""
        hints = [hint for start, hint in HINTS.items() if self._received.startswith(start)]
        if hints:
            log.warning("connection.rejected", reason=hints[0])
        self._reject_request(self._header_error or BadRequestError(*hints or [NO_HTTP]))

    def _refuse_head(self) -> NoReturn:
        self._header_error = HeadTooLargeError(HEAD_LIMIT)
        raise httptools.HttpParserError

    @property
    def _head_bytes(self) -> int:
        return len(self.url) + sum(map(len, chain.from_iterable(self.headers)))

    @property
    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _reject_connection(self) -> None:
        """Answer a connection beyond the limit; close it when the client does, or after a second.

        Closing it at once would reset the connection of a client that is sending its request.
        """
        self.connections.discard(self)
        self._rejected = True
        self._answer(OverloadedError("too many connections are open; connect again later"))
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _reject_request(self, error: ServiceError) -> None:
        """Close; answer first, unless the client would take it for another request's answer."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        in_body = not self._in_head and not self.cycle.response_started and not self.pipeline
        if in_body or (self._in_head and self._answered):
            self._answer(error)
        self.transport.close()

    def _answer(self, error: ServiceError) -> None:
        self._metrics.requests.count_refusal(error.code)
        problem = problems.make(error.status, error.code, str(error), uuid.uuid4().hex)
        own = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        headers = [*self.server_state.default_headers, *own, CLOSE]
        self.transport.write(problems.serialise(problem, headers))

    def _keep_alive(self) -> None:
        """Keep the idle connection as long as uvicorn does after an answer."""
        self._stop_timer()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

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
            self._reject_request(HeadTimeoutError("the head of the request did not end in time"))
        elif self._in_head:  # between two requests
            if self.timeout_keep_alive_task is None:
                self.transport.close()
        else:  # the client still sends the body of an answered request
            self.transport.abort()
