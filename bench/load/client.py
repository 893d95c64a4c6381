"""An HTTP client that uses little CPU time, because it shares the cores with the server.

All load of the benchmarks goes through it. A connection carries one request at a time and stays
open. `request` makes the bytes of a request once; they can be sent many times.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httptools
import uvloop

URL = "/v1/emotions"
TIMEOUT_S, CHUNK = 60.0, 1 << 16
CLOSED, CUT, LATE, REFUSED, BROKEN = "closed", "cut", "late", "refused", "broken"
FRAMING = (b"content-length", b"transfer-encoding")
T = TypeVar("T")


class Reply(NamedTuple):
    """Status and body of an answer, or status 0 and the reason why there is none.

    `error`: "closed": the server closed the connection before the first byte; "cut": it closed the
    connection within its answer; "late": the timeout passed; "refused": no server accepted the
    connection; "broken": the answer is not HTTP.
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
    every = {"host": "bench", "content-length": str(len(body))} | dict(headers or {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in every.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on uvloop, which takes less CPU time than asyncio's loop."""
    return uvloop.run(work)


def fetch(url: str, content: bytes, timeout_s: float = TIMEOUT_S) -> Reply:
    """Send one request over a new connection, from a thread without an event loop."""

    async def once() -> Reply:
        connection = Connection(url, timeout_s)
        try:
            return await connection.send(content)
        finally:
            connection.close()

    return run(once())


class Connection:
    """A connection that opens when it is needed, and again after the server has closed it."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parsed = urlsplit(url)
        self._address = parsed.hostname or "", parsed.port or 80
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, content: bytes) -> Reply:
        """Send a request and read its answer.

        A request is sent a second time if the server closes a used connection without an answer:
        a server may close an idle connection, and that can cross with the request.
        """
        if self._streams and self._streams[0].at_eof():
            self.close()
        used = self._streams is not None
        reply = await self._attempt(content)
        return await self._attempt(content) if used and reply.error == CLOSED else reply

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _attempt(self, content: bytes) -> Reply:
        keep = False
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(*self._address)
                reply, keep = await _exchange(*self._streams, content)
        except TimeoutError:
            reply = Reply(0, error=LATE)
        except OSError:
            reply = Reply(0, error=REFUSED)
        finally:
            if not keep:
                self.close()
        return reply


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes
) -> tuple[Reply, bool]:
    """Send a request; return its answer, and whether the connection can be used again."""
    answer = _Answer()
    try:
        writer.write(content)
        while not answer.complete and (data := await reader.read(CHUNK)):
            answer.feed(data)
    except ConnectionError:
        answer.framed = True  # the end of an answer without a length is a regular close
    except httptools.HttpParserError:
        return Reply(0, error=BROKEN), False
    if answer.complete:
        return answer.reply(), answer.keep
    if answer.headed and not answer.framed:
        return answer.reply(), False
    return Reply(0, error=CUT if answer.begun else CLOSED), False


class _Answer:
    """One answer as the parser reads it; the parser calls the methods `on_...`."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.begun = self.headed = self.framed = self.complete = self.keep = False
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        self.begun = True
        self.parser.feed_data(data)

    def reply(self) -> Reply:
        return Reply(self.parser.get_status_code(), b"".join(self._parts))

    def on_header(self, name: bytes, _: bytes) -> None:
        self.framed = self.framed or name.lower() in FRAMING

    def on_headers_complete(self) -> None:
        """An interim answer (1xx) has headers, but is not the answer."""
        self.headed = self.parser.get_status_code() >= 200

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        self.complete = self.headed
        self.keep = self.parser.should_keep_alive()  # only known here
