"""What a client may cost before it has asked anything, and after it was answered.

uvicorn waits for ever for the rest of a request's head, however long that grows, and for a client
that goes on sending, or does not read, what was already answered.
"""

import asyncio
import uuid
from http import HTTPStatus
from typing import Any, cast

import httptools
from fastapi import FastAPI
from starlette.types import Scope
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service import problems
from service.refusals import Refusals
from service.settings import Settings

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 200


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with limits to the size of a request's head and to silence."""

    def __init__(self, config: Config, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        state = cast("FastAPI", config.app).state
        settings: Settings = state.settings
        self._refusals: Refusals = state.refusals
        self._patience_s = settings.patience_s
        self._timer: asyncio.TimerHandle | None = None
        self._in_head, self._whole = True, True
        self._bytes = self._headers = self._unsent = 0
        self._refusal: HTTPStatus | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
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
        """Count a header, one after the body too."""
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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Turn the request away here if it would be; not where other answers are to leave first."""
        alone = cycle.keep_alive and not self.pipeline and not self.flow.write_paused
        told = self.server_state.default_headers
        answer = self._refusals.answer(cast("Scope", cycle.scope), told) if alone else None
        if answer is None:
            super()._start_asgi_task(cycle, app)
            return
        cycle.response_started = cycle.response_complete = True
        self.transport.write(answer)
        cycle.on_response()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, in the form of every other problem."""
        self._refuse(self._refusal or HTTPStatus.BAD_REQUEST, msg)

    @property
    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: HTTPStatus, detail: str = "") -> None:
        """Answer, unless it would be taken for another request's answer, and hang up."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        waiting = not self._in_head and not self.cycle.response_started and not self.pipeline
        if waiting or (self._in_head and self._answered):
            detail = detail or status.description
            problem = problems.made(status, status.name.lower(), detail, uuid.uuid4().hex)
            told = [*self.server_state.default_headers, (b"connection", b"close")]
            self.transport.write(problems.whole(problem, told))
        self.transport.close()

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
