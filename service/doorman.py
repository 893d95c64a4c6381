"""Turns images away while there is no room for them, before anything is done for the request.

What is refused costs the cores that others' images need: matching a route, its parameters and its
body take longer than the answer.
"""

import time
from typing import NamedTuple

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service import problems
from service.errors import Overloaded
from service.gate import Gate
from service.settings import Settings

ROUTE = "/v1/emotions"
DEADLINE = b"x-request-deadline-ms"


class Matched(NamedTuple):
    """A route, as far as metrics tell of it."""

    path: str


class Doorman:
    """ASGI middleware that asks the pipeline's gate about each request for `ROUTE`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == ROUTE and scope["method"] == "POST":
            state = scope["app"].state
            gate: Gate = state.pipeline.gate
            try:
                gate.check(1, time.monotonic() + _patience(scope, state.settings))
            except Overloaded as error:
                scope["route"] = Matched(ROUTE)
                told = problems.answer(
                    Request(scope), error.status, error.code, str(error), error.headers
                )
                await told(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _patience(scope: Scope, settings: Settings) -> float:
    """Seconds; what is no number will be told so by the route."""
    for name, value in scope["headers"]:
        if name == DEADLINE and value.isdigit():
            return min(int(value[:12]) / 1000, settings.deadline_s)
    return settings.deadline_s
