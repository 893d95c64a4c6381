"""A client as lean as one can be in Python: what it uses of the cores, the service lacks.

All load of the benchmarks goes through it. A connection carries one request at a time and stays
open; a request is bytes, made once by `request` and sent as often as is wanted.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

import httptools
import uvloop

URL = "/v1/emotions"
TIMEOUT_S = 60.0
CLOSED, CUT, LATE, REFUSED, BROKEN = "closed", "cut", "late", "refused", "broken"
FRAMING = (b"content-length", b"transfer-encoding")
Of = TypeVar("Of")


class Reply(NamedTuple):
    """A status and a body; status 0 where no whole answer came, and `error` says why.

    It is "closed" where the server hung up without a byte, "cut" where it did so within its answer,
    "late" after the timeout, "refused" where nobody took the connection, "broken" where the answer
    is no HTTP.
    """

    status: int
    body: bytes = b""
    error: str = ""


def request(
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    path: str = URL,
    method: str = "POST",
) -> bytes:
    """The bytes of a request."""
    given = {"host": "bench", "content-length": str(len(body))} | dict(headers or {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(work: Coroutine[Any, Any, Of]) -> Of:
    """Run a client to its end, on the leanest event loop."""
    return uvloop.run(work)


def fetch(url: str, content: bytes, timeout_s: float = TIMEOUT_S) -> Reply:
    """Send one request over a connection of its own, from a thread without an event loop."""

    async def once() -> Reply:
        line = Line(url, timeout_s)
        try:
            return await line.send(content)
        finally:
            line.close()

    return run(once())


class Line:
    """A connection that is opened when it is needed, and again when the server has hung up."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parsed = urlsplit(url)
        self._address = parsed.hostname or "", parsed.port or 80
        self._timeout_s = timeout_s
        self._open: _Connection | None = None

    async def send(self, content: bytes) -> Reply:
        """Send a request and read its answer.

        Sent once more where a connection that was used before is closed without a byte: a server
        may hang up on who says nothing, and that may cross with the request.
        """
        used = self._open is not None and not self._open.ended
        reply = await self._exchange(content)
        if used and reply.error == CLOSED:
            reply = await self._exchange(content)
        return reply

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            self._open.transport.abort()
            self._open = None

    async def _exchange(self, content: bytes) -> Reply:
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._open is None or self._open.ended:
                    loop = asyncio.get_running_loop()
                    _, self._open = await loop.create_connection(_Connection, *self._address)
                return await self._open.exchange(content)
        except TimeoutError:
            self.close()
            return Reply(0, error=LATE)
        except OSError:
            return Reply(0, error=REFUSED)
        except asyncio.CancelledError:
            self.close()
            raise


class _Connection(asyncio.Protocol):
    """One exchange after the other; `ended` when there will be no more."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Reply] | None = None
        self._parts: list[bytes] = []
        self._begun = self._headed = self._framed = self.ended = False

    def exchange(self, content: bytes) -> asyncio.Future[Reply]:
        """Send a request; its answer, or how it failed."""
        self._waiter = asyncio.get_running_loop().create_future()
        self._parts, self._begun, self._headed, self._framed = [], False, False, False
        self.transport.write(content)
        return self._waiter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(Reply(0, error=BROKEN))

    def on_header(self, name: bytes, _: bytes) -> None:
        self._framed = self._framed or name.lower() in FRAMING

    def on_headers_complete(self) -> None:
        self._headed = self._parser.get_status_code() >= 200

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        if self._headed:
            self._answer(keep=self._parser.should_keep_alive())

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that states no length ends here; any other is cut."""
        self.ended = True
        if self._headed and not self._framed and error is None:
            self._answer(keep=False)
        self._end(Reply(0, error=CUT if self._begun else CLOSED))

    def _answer(self, *, keep: bool) -> None:
        reply = Reply(self._parser.get_status_code(), b"".join(self._parts))
        if keep:
            self._settle(reply)
        else:
            self._end(reply)

    def _end(self, reply: Reply) -> None:
        self.ended = True
        self.transport.abort()
        self._settle(reply)

    def _settle(self, reply: Reply) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)
        self._waiter = None
