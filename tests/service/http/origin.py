"""A small HTTP server in the event loop of the test, which answers each path with given bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

FOREVER = b""  # a path with this answer never answers


class Origin:
    """The server, its port, and the heads of the requests that it received."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.answers = dict(answers)
        self.heads: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            answer = self.answers[head.split()[1]]
            if answer == FOREVER:
                await reader.read()
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of an HTTP answer; names of headers have `_` for `-`."""
    given = {"content_length": str(len(body)), "connection": "close"} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def redirect(url: str) -> bytes:
    """Return a redirect."""
    return answer("302 Found", location=url)


@asynccontextmanager
async def origin(
    answers: Mapping[str, bytes], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Origin]:
    """Serve `answers` by path on a free port of 127.0.0.1."""
    found = Origin(answers)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found
