"""What every answer tells a browser: guess no type, keep no copy, show it in no frame."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of an answer that is data; pages bring a policy of their own.
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAIRS = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
ASKED = ("Authorization", "X-API-Key", "Content-Type", "X-Request-ID", "X-Request-Deadline-Ms")
SHOWN = ("X-Request-ID", "Retry-After")


class Guarded:
    """ASGI middleware that adds `HEADERS` where an answer does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                set_itself = {name for name, _ in headers}
                headers += [pair for pair in _PAIRS if pair[0] not in set_itself]
            await send(message)

        await self._app(scope, receive, guarded_send)


def install(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Guard all answers of `app`; web pages of `origins` may ask, those of others may not."""
    app.add_middleware(Guarded)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=ASKED,
            expose_headers=SHOWN,
        )
