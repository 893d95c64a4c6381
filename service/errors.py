"""What a client can be told; each class carries its HTTP status and a stable code.

ServiceError
├── Unauthorized          401 unauthorized          no valid API key
├── TooManyRequests       429 too_many_requests     the key has as much under way as it may
├── InvalidRequest        400 invalid_request       a parameter or the body's form is wrong
├── NoImages              400 no_images             the request holds no image
├── TooLarge              413 too_large             too many bytes, pixels or images
├── UnsupportedMediaType  415 unsupported_media     not an image type that we read
├── CorruptImage          422 corrupt_image         an image that cannot be decoded
├── UrlRefused            403 url_refused           a URL that this service may not fetch
├── FetchFailed           424 fetch_failed          a URL that gave no image bytes
├── EmbedderMissing       501 embedder_missing      embeddings asked for, no embedder built
├── Unavailable           503 (parent)
│   ├── Overloaded        503 overloaded            the queue is full
│   └── ShuttingDown      503 shutting_down         the service is stopping
├── InferenceFailed       500 inference_failed      an engine failed on this image
└── DeadlineExceeded      504 deadline_exceeded     no result in time
"""

from http import HTTPStatus
from typing import ClassVar


class ServiceError(Exception):
    """An error whose message is meant for the client."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    headers: ClassVar[dict[str, str]] = {}


def codes() -> list[str]:
    """The codes that a client can be told, each once."""
    found, pending = [], [ServiceError]
    while pending:
        kind = pending.pop(0)
        pending += kind.__subclasses__()
        if "code" in vars(kind):
            found.append(kind.code)
    return found


class Unauthorized(ServiceError):
    """No valid API key."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class TooManyRequests(ServiceError):
    """The key has as much under way as it may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class InvalidRequest(ServiceError):
    """A parameter or the form of the body is wrong."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"


class NoImages(ServiceError):
    """The request holds no image."""

    status = HTTPStatus.BAD_REQUEST
    code = "no_images"


class TooLarge(ServiceError):
    """Too many bytes, pixels or images."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnsupportedMediaType(ServiceError):
    """Not an image type that we read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media"


class CorruptImage(ServiceError):
    """An image that cannot be decoded."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "corrupt_image"


class UrlRefused(ServiceError):
    """A URL that this service may not fetch."""

    status = HTTPStatus.FORBIDDEN
    code = "url_refused"


class FetchFailed(ServiceError):
    """A URL that gave no image bytes."""

    status = HTTPStatus.FAILED_DEPENDENCY
    code = "fetch_failed"


class EmbedderMissing(ServiceError):
    """Embeddings asked for, but no embedder is built."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "embedder_missing"


class Unavailable(ServiceError):
    """Not now; come again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class Overloaded(Unavailable):
    """The queue is full."""

    code = "overloaded"


class ShuttingDown(Unavailable):
    """The service is stopping."""

    code = "shutting_down"


class InferenceFailed(ServiceError):
    """An engine failed on this image; the log says how."""

    code = "inference_failed"


class DeadlineExceeded(ServiceError):
    """No result in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline_exceeded"
