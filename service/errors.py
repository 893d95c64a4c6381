"""Errors of HTTP requests; `analysis.errors` has the base class and those of images.

ServiceError
├── UnauthorizedError     401 unauthorized          no valid API key
├── TooManyRequestsError  429 too_many_requests     the key has too many images under way
├── InvalidRequestError   400 invalid_request       a parameter or the form of the body is wrong
├── NoImagesError         400 no_images             the request has no image
├── UrlRefusedError       403 url_refused           this service may not fetch the URL
└── FetchError            424 fetch_failed          the URL returned no image

The first line of each docstring is published in `docs/api.md` and in the OpenAPI document.
"""

from http import HTTPStatus
from typing import ClassVar

from analysis.errors import ServiceError


class UnauthorizedError(ServiceError):
    """No valid API key."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class TooManyRequestsError(ServiceError):
    """The key has too many images under way."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class InvalidRequestError(ServiceError):
    """A parameter or the form of the body is wrong."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"


class NoImagesError(ServiceError):
    """The request has no image."""

    status = HTTPStatus.BAD_REQUEST
    code = "no_images"


class UrlRefusedError(ServiceError):
    """This service may not fetch the URL."""

    status = HTTPStatus.FORBIDDEN
    code = "url_refused"


class FetchError(ServiceError):
    """The URL returned no image."""

    status = HTTPStatus.FAILED_DEPENDENCY
    code = "fetch_failed"
