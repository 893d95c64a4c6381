"""A client as lean as one can be in Python: what it uses of the cores, the service lacks."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import httpx

URL = "/v1/emotions"


class Reply(NamedTuple):
    """A status and a body; status 0 where the server hung up."""

    status: int
    body: bytes = b""


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


class Line:
    """One connection, opened when it is needed and again when the server has hung up."""

    def __init__(self, url: str) -> None:
        parsed = httpx.URL(url)
        self._address = parsed.host, parsed.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, content: bytes) -> Reply:
        """Send a request and read its answer."""
        fresh = self._streams is None
        try:
            return await self._exchange(content)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return Reply(0) if fresh else await self.send(content)

    async def _exchange(self, content: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        writer.write(content)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await _body(reader, head)
        if b"\r\nconnection: close" in head:
            await self.close()
        return Reply(int(head[9:12]), body)

    async def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    _, found, length = head.partition(b"\r\ncontent-length: ")
    if found:
        return await reader.readexactly(int(length.partition(b"\r\n")[0]))
    if b"\r\ntransfer-encoding: chunked" not in head:
        return b""
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return bytes(body)
