"""Responses: decoded to results, or raised as errors."""

from typing import TypeVar

import httpx
import msgspec

from emotions_client.errors import RefusedError, UnreachableError
from emotions_client.requests import Source, name_of
from emotions_client.results import Answer, ImageError, ImageResult

# A request ends with a response, or without one.
Outcome = httpx.Response | httpx.TransportError
T = TypeVar("T")
# Codes of errors of one image, not of the request.
IMAGE_CODES = {
    "corrupt_image",
    "min_face_too_small",
    "unsupported_media",
    "too_large",
    "inference_failed",
    "url_refused",
    "fetch_failed",
}
# Errors of msgspec for bytes that are not JSON, or JSON of another shape.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError)


class Problem(msgspec.Struct):
    """RFC 9457 problem details of the service."""

    code: str
    detail: str
    request_id: str = ""
    status: int = 500


def decode(outcome: Outcome, kind: type[T]) -> T:
    """Decode a response.

    Raises:
        RefusedError: the response is an error, or does not come from the service.
        UnreachableError: there is no response.
    """
    if isinstance(outcome, httpx.TransportError):
        raise UnreachableError(str(outcome) or type(outcome).__name__) from outcome
    status = outcome.status_code
    try:
        if outcome.is_success:
            return msgspec.json.decode(outcome.content, type=kind)
        problem = msgspec.json.decode(outcome.content, type=Problem)
    except DECODE_ERRORS:
        raise not_the_service(status, outcome.reason_phrase) from None
    raise RefusedError(status, problem.code, problem.detail, problem.request_id)


def not_the_service(status: int, reason: str) -> RefusedError:
    """Return the error for a response that another server gave, e.g. a proxy."""
    detail = f"not an answer of the service: {reason}"
    return RefusedError(status, "not_the_service", detail, "")


def result_of(image: Source, outcome: Answer | RefusedError | OSError) -> ImageResult:
    """Return the result of the only image of a request.

    Raises:
        RefusedError: the error is not one of the image.
    """
    if isinstance(outcome, Answer):
        return outcome.images[0]
    if isinstance(outcome, OSError):
        error = ImageError("unreadable_file", f"cannot read the file: {outcome.strerror}")
    elif outcome.code in IMAGE_CODES:
        error = ImageError(outcome.code, outcome.detail)
    else:
        raise outcome
    return ImageResult(name_of(image, 0), 0, 0, (), error)
