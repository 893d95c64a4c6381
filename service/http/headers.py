"""Security headers of every answer, and CORS."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# For JSON and other data; the pages set a policy of their own.
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
RAW_HEADERS = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
# Headers that a web page of another origin may send and read.
ALLOWED = (
    *("Authorization", "X-API-Key", "Content-Type", "Content-Encoding"),
    *("X-Request-ID", "X-Request-Deadline-Ms"),
)
EXPOSED = ("X-Request-ID", "Retry-After")


class SecurityHeaders:
    """ASGI middleware that adds those of `HEADERS` that an answer does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                present = {name for name, _ in headers}
                headers += [pair for pair in RAW_HEADERS if pair[0] not in present]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def install(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Add the headers to all answers; web pages of `origins` may send requests."""
    app.add_middleware(SecurityHeaders)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=ALLOWED,
            expose_headers=EXPOSED,
            # A page of a public site may use a service in the local network if its origin is named.
            allow_private_network="*" not in origins,
        )
