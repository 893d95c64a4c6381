"""Middleware that assigns an id to each request, and logs, counts and traces the request."""

import logging
import random
import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.telemetry.metrics import Metrics
from service.telemetry.stats import RequestStats, collecting
from service.telemetry.tracing import Tracing

# Paths that are polled every few seconds: at info level they would bury all other log lines.
PROBES = ("/livez", "/readyz", "/metrics")
REQUEST_ID = b"x-request-id"
# The id from a client is logged; these characters cannot forge a log line.
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

log = structlog.get_logger("emotions.access")


class TelemetryMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = request_id(scope)
        scope.setdefault("state", {})["request_id"] = identifier
        with collecting() as stats:
            trace = self._tracing.begin(_header(scope, b"traceparent"), stats)
            ids = {"request_id": identifier} | ({"trace_id": trace} if trace else {})
            with structlog.contextvars.bound_contextvars(**ids):
                await self._observe(scope, receive, send, stats)

    async def _observe(
        self, scope: Scope, receive: Receive, send: Send, stats: RequestStats
    ) -> None:
        started, status = time.perf_counter(), 500

        async def observed_receive() -> Message:
            message = await receive()
            stats.received += len(message.get("body", b""))
            return message

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                _set_request_id(message, scope)
            elif not message.get("more_body", False):
                self._finish_trace(scope, stats)
            await send(message)

        try:
            await self._app(scope, observed_receive, observed_send)
        except Exception:
            stats.code = "internal"
            raise
        finally:
            self._finish_trace(scope, stats)
            self._report(scope, status, time.perf_counter() - started, stats)

    def _finish_trace(self, scope: Scope, stats: RequestStats) -> None:
        stats.key = scope["state"].get("key")
        self._tracing.end(stats)

    def _report(self, scope: Scope, status: int, seconds: float, stats: RequestStats) -> None:
        # The path of the route, not that of the request: each unknown path would add a label.
        path = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.count_request(path, status, seconds, stats)
        log.log(
            logging.DEBUG if path in PROBES else logging.INFO,
            "request",
            method=scope["method"],
            path=path,
            status=status,
            ms=round(seconds * 1000, 2),
            **_fields(stats),
        )


def _set_request_id(message: Message, scope: Scope) -> None:
    others = (pair for pair in message["headers"] if pair[0] != REQUEST_ID)
    message["headers"] = [*others, (REQUEST_ID, scope["state"]["request_id"].encode())]


def _fields(stats: RequestStats) -> dict[str, object]:
    """Return the log fields of a request; they contain nothing of its body or its key."""
    fields = {
        "code": stats.code,
        "key": stats.key,
        "bytes": stats.received,
        "images": stats.images,
        "faces": stats.faces,
        "stages_ms": stats.longest(),
    }
    return {name: value for name, value in fields.items() if value not in (None, 0, {})}


def request_id(scope: Scope) -> str:
    """Return the id from the client if it is valid, else a new one: unique, but not secret."""
    given = _header(scope, REQUEST_ID)
    return given if _VALID_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _header(scope: Scope, name: bytes) -> str:
    """Return the first value of a header, or an empty string."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
