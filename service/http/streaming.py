"""Answers as JSON Lines: a result is sent as soon as it and all results before it are done."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from analysis.document import Document
from service.http.cancellation import cancel_on_disconnect
from service.http.documents import End, FirstLine, LastLine, Models, Problem

Results = AsyncGenerator[Document, None]


async def encode_lines(
    models: Models, results: Results, describe: Callable[[Exception], Problem]
) -> AsyncGenerator[bytes, None]:
    """Encode results: a line with the models, a line per image, and a line that ends the answer.

    An error before the first result is raised, so that the answer gets the status of the error.
    `describe` turns a later error into the problem in the last line.
    """
    count, problem = 1, None
    async with aclosing(results):
        first = await anext(results)
        yield _line(FirstLine(model=models).model_dump()) + _line(first)
        try:
            async for result in results:
                yield _line(result)
                count += 1
        except Exception as error:
            problem = describe(error)
    yield _line(LastLine(end=End(images=count, problem=problem)).model_dump())


def _line(document: Document) -> bytes:
    return msgspec.json.encode(document) + b"\n"


class JsonLines(Response):
    """Sends each line as soon as it is available; stops the analysis if the client disconnects.

    The response starts with the first line, so that an earlier error gets an answer of its own. It
    ends after `timeout_s`, even if the client does not read.
    """

    def __init__(
        self,
        request: Request,
        lines: AsyncGenerator[bytes, None],
        media_type: str,
        timeout_s: float,
    ) -> None:
        # Without this header nginx would buffer the whole answer.
        super().__init__(media_type=media_type, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._request = request
        self._lines = lines
        self._timeout_s = timeout_s
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        try:
            async with asyncio.timeout(self._timeout_s):
                await cancel_on_disconnect(self._request, self._send(send))
        except (ClientDisconnect, TimeoutError):
            if not self._started:
                raise

    async def _send(self, send: Send) -> None:
        async with aclosing(self._lines) as lines:
            async for line in lines:
                if not self._started:
                    self._started = True
                    start = {"type": "http.response.start", "status": self.status_code}
                    await send(start | {"headers": self.raw_headers})
                await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
