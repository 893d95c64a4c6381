"""Errors of HTTP requests; `analysis.errors` has the base class and those of images.

ServiceError
├── Unauthorized          401 unauthorized          no valid API key
├── TooManyRequests       429 too_many_requests     the key has too many images under way
├── InvalidRequest        400 invalid_request       a parameter or the form of the body is wrong
├── NoImages              400 no_images             the request has no image
├── UrlRefused            403 url_refused           this service may not fetch the URL
└── FetchFailed           424 fetch_failed          the URL returned no image
"""

from http import HTTPStatus
from typing import ClassVar

from analysis.errors import ServiceError


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


class UrlRefused(ServiceError):
    """A URL that this service may not fetch."""

    status = HTTPStatus.FORBIDDEN
    code = "url_refused"


class FetchFailed(ServiceError):
    """A URL that gave no image bytes."""

    status = HTTPStatus.FAILED_DEPENDENCY
    code = "fetch_failed"
