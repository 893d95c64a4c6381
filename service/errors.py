"""Errors of HTTP requests; `analysis.errors` has the base class and those of images.

ServiceError
├── UnauthorizedError     401 unauthorized          no valid API key
├── TooManyRequestsError  429 too_many_requests     the key has too many images under way
├── InvalidRequestError   400 invalid_request       a parameter or the form of the body is wrong
├── NoImagesError         400 no_images             the request has no image
├── UrlRefusedError       403 url_refused           this service may not fetch the URL
├── FetchError            424 fetch_failed          the URL returned no image
├── NotFoundError         404 not_found             nothing is at this path
├── MethodError           405 method_not_allowed    the path takes other methods
├── BadRequestError       400 bad_request           the bytes are not HTTP/1.1
├── HeadTimeoutError      408 request_timeout       the head did not end in time
├── HeadTooLargeError     431 request_header_fields_too_large  the head is too large
└── UnsupportedMediaTypeError (of `analysis.errors`)
    └── UnsupportedEncodingError  415 unsupported_media  the content encoding is not read

The first line of each docstring is published in `docs/api.md` and in the OpenAPI document.
"""

from http import HTTPStatus
from typing import ClassVar

from analysis.errors import ServiceError, UnsupportedMediaTypeError


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


class UnsupportedEncodingError(UnsupportedMediaTypeError):
    """The content encoding is not read; `Accept-Encoding` lists those that are."""

    headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "gzip, deflate, zstd"}


class NotFoundError(ServiceError):
    """Nothing is at this path."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodError(ServiceError):
    """The path takes other methods; `Allow` lists them."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class BadRequestError(ServiceError):
    """The bytes are not HTTP/1.1; the connection is closed."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class HeadTimeoutError(ServiceError):
    """The head of the request did not end in time; the connection is closed."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"


class HeadTooLargeError(ServiceError):
    """The head of the request has too many bytes or lines; the connection is closed."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "request_header_fields_too_large"
