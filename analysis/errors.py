"""Errors of one image or of the workers; each class carries its HTTP status and a stable code.

ServiceError
├── TooLargeError              413 too_large             too many bytes, pixels or images
├── UnsupportedMediaTypeError  415 unsupported_media     no supported image format
├── CorruptImageError          422 corrupt_image         the image cannot be decoded
├── MinFaceError               422 min_face_too_small    too many detector inputs for min_face
├── EmbedderMissingError       501 embedder_missing      embeddings requested, no embedder built
├── UnavailableError           503 (parent)
│   ├── OverloadedError        503 overloaded            no capacity left
│   └── ShuttingDownError      503 shutting_down         the service is stopping
├── InferenceError             500 inference_failed      an engine failed on this image
└── DeadlineExceededError      504 deadline_exceeded     no result in time

`service.errors` adds the errors of HTTP: keys, parameters, bodies, URLs.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import ClassVar


class ServiceError(Exception):
    """Something failed inside; the log has the id of the request.

    Base of all errors whose message is meant for the client.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    headers: ClassVar[dict[str, str]] = {}


def kinds() -> Iterator[type[ServiceError]]:
    """Yield the classes of all errors that a client can receive; each has another code."""
    pending = [ServiceError]
    while pending:
        kind = pending.pop(0)
        pending += kind.__subclasses__()
        if "code" in vars(kind):
            yield kind


class TooLargeError(ServiceError):
    """Too many bytes, pixels or images."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnsupportedMediaTypeError(ServiceError):
    """No supported image format."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media"


class CorruptImageError(ServiceError):
    """An image that cannot be decoded."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "corrupt_image"


class MinFaceError(ServiceError):
    """Finding faces as small as `min_face` in this image needs too many detector inputs."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "min_face_too_small"


class EmbedderMissingError(ServiceError):
    """Embeddings are requested, but no embedder is built."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "embedder_missing"


class UnavailableError(ServiceError):
    """No service now; the client may retry."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class OverloadedError(UnavailableError):
    """No capacity is left."""

    code = "overloaded"


class ShuttingDownError(UnavailableError):
    """The service is stopping."""

    code = "shutting_down"


class InferenceError(ServiceError):
    """An engine failed on this image; the log has the details."""

    code = "inference_failed"


class DeadlineExceededError(ServiceError):
    """No result before the deadline."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline_exceeded"
