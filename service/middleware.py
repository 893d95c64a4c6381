"""Around every request: an id, a log line, and the metrics."""

import logging
import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics

# Asked every few seconds by whoever watches the service; their lines would bury the others.
PROBES = ("/livez", "/readyz", "/metrics")
REQUEST_ID = "X-Request-ID"
# A client's own id goes into our log: letters, digits and a few marks, nothing that could forge
# a line.
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

log = structlog.get_logger("emotions.access")


class Observed:
    """ASGI middleware that gives requests an id, counts them, times them and logs them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = time.perf_counter(), 500

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            self._record(scope, status, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("request_id")

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's own path, not the client's: a label for each unknown address would grow.
        path = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        log.log(
            logging.DEBUG if path in PROBES else logging.INFO,
            "request",
            method=scope["method"],
            path=path,
            status=status,
            ms=round(seconds * 1000, 2),
        )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _VALID_ID.fullmatch(given) else uuid.uuid4().hex
