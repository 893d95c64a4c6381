"""Errors as RFC 9457 problem details; the one place where an exception becomes an answer."""

from collections.abc import Iterable
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from analysis.document import Problem
from analysis.errors import ServiceError
from service.errors import InvalidRequestError
from service.http.headers import HEADERS
from service.telemetry.record import current

MEDIA_TYPE = "application/problem+json"
# Headers of an answer that the application does not make.
_GUARD = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}
UNKNOWN = (500, "internal", "something went wrong inside; the log has this request's id")
log = structlog.get_logger("emotions.http")


def install(app: FastAPI) -> None:
    """Answer every exception of `app` with a problem."""
    app.add_exception_handler(ServiceError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _expected)
    app.add_exception_handler(Exception, _unknown)


def answer(
    request: Request, status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Render a problem with the headers of every answer: unexpected errors bypass `Guarded`."""
    problem = _problem(request, status, code, detail)
    every = HEADERS | {"X-Request-ID": problem.request_id} | (headers or {})
    return Response(problem.model_dump_json(), status, every, MEDIA_TYPE)


def whole(problem: Problem, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Render a problem as all bytes of an HTTP/1.1 answer, with the headers of every answer."""
    body = problem.model_dump_json().encode()
    every = (
        *_GUARD.items(),
        *headers,
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", problem.request_id.encode()),
    )
    head = b"".join([b"%b: %b\r\n" % pair for pair in every])
    line = f"HTTP/1.1 {problem.status} {problem.title}\r\n".encode()
    return line + head + b"\r\n" + body


def problem_of(request: Request, error: Exception) -> Problem:
    """Describe what went wrong after an answer had begun."""
    if isinstance(error, ServiceError):
        return _problem(request, error.status, error.code, str(error))
    log.error("request.failed", exc_info=error)
    return _problem(request, *UNKNOWN)


def _problem(request: Request, status: int, code: str, detail: str) -> Problem:
    if (record := current()) is not None:
        record.code = code
    return made(status, code, detail, request.scope.get("state", {}).get("request_id", ""))


def made(status: int, code: str, detail: str, request_id: str) -> Problem:
    """Make a problem, also where the application has no request yet."""
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
    )


def answer_to(request: Request, error: ServiceError | ClientDisconnect) -> Response:
    """Render an expected error."""
    if isinstance(error, ServiceError):
        return answer(request, error.status, error.code, str(error), error.headers)
    # Nobody reads this; the status, nginx's for a client that hung up, is for the metrics.
    return Response(status_code=499)


async def _expected(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError | ClientDisconnect):
        raise error
    return answer_to(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return answer_to(request, InvalidRequestError(f"{where}: {first['msg']}"))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).name.lower()
    return answer(request, error.status_code, code, error.detail, dict(error.headers or {}))


async def _unknown(request: Request, error: Exception) -> Response:
    log.error("request.failed", exc_info=error)
    return answer(request, *UNKNOWN)
