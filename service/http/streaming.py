"""Answers as JSON Lines: each image's result leaves as soon as it and those before it are done."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import lru_cache

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from analysis.document import Document, End, FirstLine, LastLine, Models, Problem
from service.http.waiting import unless_gone

JSON = "application/json"
TYPES = ("application/jsonl", "application/x-ndjson")
Results = AsyncGenerator[Document, None]


@lru_cache(maxsize=64)
def asked_for(accept: str) -> str | None:
    """Return the type of lines that an `Accept` header prefers to one document, or None."""
    best, preferred = 0.0, None
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = _weight(parameters)
        if kind in (*TYPES, JSON) and weight > best:
            best, preferred = weight, kind
    return preferred if preferred != JSON else None


def _weight(parameters: list[str]) -> float:
    """The weight of an `Accept` entry (RFC 9110, section 12.4.2); 1 without one, or a bad one."""
    given = next((value[2:] for value in parameters if value.startswith("q=")), "1")
    try:
        return min(float(given), 1.0)
    except ValueError:
        return 1.0


async def written(
    model: Models, results: Results, tell: Callable[[Exception], Problem]
) -> AsyncGenerator[bytes, None]:
    """Write results as lines: the models first, then an image each, then how it ended.

    `tell` makes a problem of what goes wrong after the first result; what goes wrong before is
    raised, so that the answer can still have a status of its own.
    """
    count, problem = 1, None
    async with aclosing(results):
        first = await anext(results)
        yield _line(FirstLine(model=model).model_dump()) + _line(first)
        try:
            async for result in results:
                yield _line(result)
                count += 1
        except Exception as error:
            problem = tell(error)
    yield _line(LastLine(end=End(images=count, problem=problem)).model_dump())


def _line(document: Document) -> bytes:
    return msgspec.json.encode(document) + b"\n"


class Lines(Response):
    """Sends lines as they come, and stops the work behind them when the client hangs up.

    It begins with the first line: an error before that is answered like any other.
    """

    def __init__(
        self,
        request: Request,
        lines: AsyncGenerator[bytes, None],
        media_type: str,
        patience_s: float,
    ) -> None:
        # nginx would collect the whole answer before it passes it on.
        super().__init__(media_type=media_type, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._request = request
        self._lines = lines
        self._patience_s = patience_s
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        try:
            # Ends also the wait for a client that does not read.
            async with asyncio.timeout(self._patience_s):
                await unless_gone(self._request, self._send(send))
        except (ClientDisconnect, TimeoutError):
            if not self._begun:
                raise

    async def _send(self, send: Send) -> None:
        async with aclosing(self._lines) as lines:
            async for line in lines:
                if not self._begun:
                    self._begun = True
                    start = {"type": "http.response.start", "status": self.status_code}
                    await send(start | {"headers": self.raw_headers})
                await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
