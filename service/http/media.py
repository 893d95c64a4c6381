"""Finds out what a body is: its bytes decide, and its content type only where they leave a choice.

Content types are often those of a library or of a tool: `curl -d` names a form, `sendBeacon` plain
text, and many clients nothing at all.
"""

import re
from enum import Enum, auto

from analysis.errors import UnsupportedMediaTypeError
from analysis.sanitize import sniff

# For OpenAPI; the service reads images under any type.
IMAGE_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff"),
    *("image/heic", "image/avif", "image/jxl"),
)
MSGPACK_TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
URLENCODED = "application/x-www-form-urlencoded"
# Byte order marks and white space before JSON; zeros are part of UTF-16 and UTF-32.
_BEFORE_JSON = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"
# A map with the one key `images`.
_MSGPACK = b"\x81\xa6images"
_FIRST_FIELD = re.compile(rb"[\w.\-%\[\]]{1,64}=")


class Form(Enum):
    """The forms of a body."""

    IMAGE = auto()
    MULTIPART = auto()
    URLENCODED = auto()
    JSON = auto()
    MSGPACK = auto()
    UNKNOWN = auto()


def media_type(content_type: str) -> str:
    """Return a content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def refusal(data: bytes) -> UnsupportedMediaTypeError | None:
    """Return why `data` is not an image that the service reads, or None if it is one."""
    try:
        sniff(data)
    except UnsupportedMediaTypeError as error:
        return error
    return None


def is_image(data: bytes) -> bool:
    """Return whether the first bytes are those of an image."""
    return refusal(data) is None


def form_of(kind: str, body: bytes) -> Form:
    """Return the form of a body with the media type `kind`."""
    found = _by_bytes(body)
    if found is None:
        return Form.IMAGE if is_image(body) else _by_type(kind, body)
    return found


def _by_bytes(body: bytes) -> Form | None:
    """Return the form that the first bytes show; no image has them."""
    if body[:64].translate(None, _BEFORE_JSON).startswith(b"{"):
        return Form.JSON
    if body.startswith(b"--"):
        return Form.MULTIPART
    return Form.MSGPACK if body.startswith(_MSGPACK) else None


def _by_type(kind: str, body: bytes) -> Form:
    if kind.startswith("multipart/"):
        return Form.MULTIPART
    if kind.endswith(("/json", "+json")):
        return Form.JSON
    if kind in MSGPACK_TYPES:
        return Form.MSGPACK
    if kind == URLENCODED and _FIRST_FIELD.match(body):
        return Form.URLENCODED
    return Form.IMAGE if kind.startswith("image/") else Form.UNKNOWN
