"""Errors as RFC 9457 problem details; the only place that turns an exception into an answer."""

from collections.abc import Iterable
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from analysis.errors import ServiceError
from service.errors import InvalidRequestError, MethodError, NotFoundError
from service.http.documents import Problem
from service.http.headers import HEADERS, RAW_HEADERS
from service.telemetry.stats import current_stats

MEDIA_TYPE = "application/problem+json"
# The status of nginx for a client that disconnected. Only the metrics see it.
CLIENT_CLOSED_REQUEST = 499
INTERNAL = (500, "internal", "internal error; the log has the details under this request's id")
NO_PATH = "no such path; images go to POST /v1/emotions, health checks to GET /livez or /readyz"
log = structlog.get_logger("emotions.http")


def install(app: FastAPI) -> None:
    """Answer every exception of `app` with a problem."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_disconnect)
    app.add_exception_handler(Exception, _unexpected_error)


def describe(request: Request, error: Exception) -> Problem:
    """Return the problem of an error that occurred after the answer had started."""
    if isinstance(error, ServiceError):
        return _problem(request, error.status, error.code, str(error))
    log.error("request.failed", exc_info=error)
    return _problem(request, *INTERNAL)


def make(status: int, code: str, detail: str, request_id: str) -> Problem:
    """Make a problem; it needs no request."""
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
    )


def serialise(problem: Problem, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Return all bytes of an HTTP/1.1 answer, with the headers of every answer."""
    body = problem.model_dump_json().encode()
    every = (
        *RAW_HEADERS,
        *headers,
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", problem.request_id.encode()),
    )
    head = b"".join([b"%b: %b\r\n" % pair for pair in every])
    line = f"HTTP/1.1 {problem.status} {problem.title}\r\n".encode()
    return line + head + b"\r\n" + body


def _answer(
    request: Request, status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Answer with a problem. It sets all headers: unexpected errors bypass the middleware."""
    problem = _problem(request, status, code, detail)
    every = HEADERS | {"X-Request-ID": problem.request_id} | (headers or {})
    return Response(problem.model_dump_json(), status, every, MEDIA_TYPE)


def _problem(request: Request, status: int, code: str, detail: str) -> Problem:
    if (stats := current_stats()) is not None:
        stats.code = code
    return make(status, code, detail, request.scope.get("state", {}).get("request_id", ""))


# Starlette types all handlers alike, hence the checks of the types.
async def _service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    return _answer(request, error.status, error.code, str(error), error.headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return await _service_error(request, InvalidRequestError(f"{where}: {first['msg']}"))


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer an error of Starlette: 405, or else 404."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code != MethodError.status:
        return await _service_error(request, NotFoundError(NO_PATH))
    allowed = {"Allow": _allowed(error)}
    if request.method == "OPTIONS":  # health checks of HAProxy; preflights without CORS
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allowed)
    detail = f"{request.method} is not possible here; use {allowed['Allow']}"
    return _answer(request, MethodError.status, MethodError.code, detail, allowed)


def _allowed(error: HTTPException) -> str:
    """Return the methods of a path; each with GET also has HEAD, on a route of its own.

    Starlette names none for static files.
    """
    methods = set((error.headers or {}).get("Allow", "GET").split(", "))
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


async def _client_disconnect(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    log.error("request.failed", exc_info=error)
    return _answer(request, *INTERNAL)
