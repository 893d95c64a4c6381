"""Gives every request an id and a record of its costs, logs it and counts it."""

import logging
import random
import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.telemetry.metrics import Metrics
from service.telemetry.record import Record, recording
from service.telemetry.tracing import Tracing

# They come every few seconds; their log lines would bury the others.
PROBES = ("/livez", "/readyz", "/metrics")
REQUEST_ID = b"x-request-id"
# A client's own id is logged: letters, digits and a few marks cannot forge a line.
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

log = structlog.get_logger("emotions.access")


class Observed:
    """ASGI middleware that gives requests an id, counts them, times them and logs them."""

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
        with recording() as record:
            trace = self._tracing.begin(_header(scope, b"traceparent"), record)
            ids = {"request_id": identifier} | ({"trace_id": trace} if trace else {})
            with structlog.contextvars.bound_contextvars(**ids):
                await self._observe(scope, receive, send, record)

    async def _observe(self, scope: Scope, receive: Receive, send: Send, record: Record) -> None:
        started, status = time.perf_counter(), 500

        async def observed_receive() -> Message:
            message = await receive()
            record.received += len(message.get("body", b""))
            return message

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [
                    *(pair for pair in message["headers"] if pair[0] != REQUEST_ID),
                    (REQUEST_ID, scope["state"]["request_id"].encode()),
                ]
            elif not message.get("more_body", False):
                self._close(scope, record)
            await send(message)

        try:
            await self._app(scope, observed_receive, observed_send)
        except Exception:
            record.code = "internal"
            raise
        finally:
            self._close(scope, record)
            self._conclude(scope, status, time.perf_counter() - started, record)

    def _close(self, scope: Scope, record: Record) -> None:
        record.key = scope["state"].get("key")
        self._tracing.end(record)

    def _conclude(self, scope: Scope, status: int, seconds: float, record: Record) -> None:
        # The route's own path, not the client's: each unknown address would add a label.
        path = getattr(scope.get("route"), "path", "other")
        self._metrics.request(path, status, seconds, record)
        log.log(
            logging.DEBUG if path in PROBES else logging.INFO,
            "request",
            method=scope["method"],
            path=path,
            status=status,
            ms=round(seconds * 1000, 2),
            **_fields(record),
        )


def _fields(record: Record) -> dict[str, object]:
    """Log fields of a record: nothing of what was sent, and a key only by its name."""
    fields = {
        "code": record.code,
        "key": record.key,
        "bytes": record.received,
        "images": record.images,
        "faces": record.faces,
        "stages_ms": record.longest(),
    }
    return {name: value for name, value in fields.items() if value not in (None, 0, {})}


def request_id(scope: Scope) -> str:
    """Return the client's own id, or a new one, which is unique but need not be secret."""
    given = _header(scope, REQUEST_ID)
    return given if _VALID_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _header(scope: Scope, name: bytes) -> str:
    """The first value of a header, or nothing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
