"""An HTTP server that sends prepared answers, good and bad."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

HANG_UP = b""
SILENCE = None
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


class Fake:
    """Answers each request with the next of `answers`, and repeats the last one."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self._answers = list(answers)
        self.url, self.connections = "", 0
        self.bodies: list[bytes] = []

    def _next(self) -> bytes | None:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        self.bodies.append(await reader.readexactly(int(length)))
        answer = self._next()
        if answer is SILENCE:
            await reader.read()
            return False
        for at in range(0, len(answer), 7):  # small pieces, as a network may deliver them
            writer.write(answer[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)
        return answer.endswith((b"ok", b"\r\n\r\n"))


@asynccontextmanager
async def fake(*answers: bytes | None) -> AsyncIterator[Fake]:
    """Serve until the block ends; close the connection after an answer without a regular end."""
    running = Fake(answers)
    server = await asyncio.start_server(running.converse, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    running.url = f"http://{host}:{port}"
    try:
        yield running
    finally:
        server.close()
