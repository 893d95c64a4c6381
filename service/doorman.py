"""Lets requests for images in, or turns them away before anything is done for them.

What is refused costs the cores that others' images need, and so does FastAPI's way to a route:
matching it, its dependencies and their exit stacks take longer than all that the route does itself.
"""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service import problems
from service.auth import authorize
from service.errors import ServiceError
from service.gate import Gate
from service.held import Held
from service.settings import Settings
from service.shares import Shares

ROUTE = "/v1/emotions"
DEADLINE = b"x-request-deadline-ms"


class Matched(NamedTuple):
    """A route, as far as metrics and traces tell of it."""

    path: str


MATCHED = Matched(ROUTE)


class Doorman:
    """ASGI middleware that answers requests for `ROUTE` by `serve`, and hands on all others.

    The request's `state.share` is what it takes of its key's share, and `state.hold` what it holds
    of memory, until the last byte of its answer has left.
    """

    def __init__(self, app: ASGIApp, serve: Callable[[Request], Awaitable[Response]]) -> None:
        self._app = app
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not wanted(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope["route"] = MATCHED
        request.app.state.tracing.route("POST", ROUTE)
        try:
            await self._admit(request, send)
        except (ServiceError, ClientDisconnect) as error:
            await problems.answer_to(request, error)(scope, receive, send)

    async def _admit(self, request: Request, send: Send) -> None:
        state, scope = request.app.state, request.scope
        check(scope, state.pipeline.gate, state.settings)
        shares: Shares = state.shares
        held: Held = state.held
        with shares.take(await authorize(request)) as share, held.hold() as hold:
            request.state.share, request.state.hold = share, hold
            answer = await self._serve(request)
            await answer(scope, request.receive, send)


def wanted(scope: Scope) -> bool:
    """Whether a request is one for images."""
    return bool(scope["path"] == ROUTE and scope["method"] == "POST")


def check(scope: Scope, gate: Gate, settings: Settings) -> None:
    """See whether an image of this request would be let in.

    Raises:
        Overloaded: see `Gate.check`.
    """
    gate.check(1, time.monotonic() + _patience(scope, settings))


def _patience(scope: Scope, settings: Settings) -> float:
    """Seconds; what is no number will be told so by the route."""
    for name, value in scope["headers"]:
        if name == DEADLINE and value.isdigit():
            return min(int(value[:12]) / 1000, settings.deadline_s)
    return settings.deadline_s
