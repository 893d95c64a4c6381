"""Finds out what a body is.

Its bytes decide. Its content type matters only if the bytes fit several kinds of body.

Content types are often those of a library or of a tool: `curl -d` names a form, `sendBeacon` plain
text, and many clients nothing at all.
"""

import binascii
import re
from enum import Enum, auto

from analysis.errors import UnsupportedMediaTypeError
from analysis.formats import sniff

# For OpenAPI; the service reads images under any type.
IMAGE_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff"),
    *("image/heic", "image/avif", "image/jxl"),
)
MSGPACK_TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
URLENCODED = "application/x-www-form-urlencoded"
# JSON may begin with a byte order mark and white space; zeros are part of UTF-16 and UTF-32.
_JSON = re.compile(rb"\0{0,2}(?:\xef\xbb\xbf|\xfe\xff|\xff\xfe)?[\0 \t\r\n]{0,64}[{\[]")
# A map with the one key `images`.
_MSGPACK = b"\x81\xa6images"
_DATA_URL = re.compile(rb"\s*data:[^,]{0,255};base64,", re.IGNORECASE)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# This many characters of base64 show whether it is an image.
_HEAD = 4096
_FIRST_FIELD = re.compile(rb"[\w.\-%\[\]]{1,64}=")


class Form(Enum):
    """The forms of a body."""

    IMAGE = auto()
    MULTIPART = auto()
    URLENCODED = auto()
    JSON = auto()
    MSGPACK = auto()
    BASE64 = auto()
    UNKNOWN = auto()


def media_type(content_type: str) -> str:
    """Return a content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def why_no_image(data: bytes) -> UnsupportedMediaTypeError | None:
    """Return why `data` is not an image that the service reads, or None if it is one."""
    try:
        sniff(data)
    except UnsupportedMediaTypeError as error:
        return error
    return None


def is_image(data: bytes) -> bool:
    """Return whether the first bytes are those of an image."""
    return why_no_image(data) is None


def is_base64(data: bytes) -> bool:
    """Return whether `data` is an image as base64 text, or begins like a data URL."""
    if _DATA_URL.match(data):
        return True
    start = data[:_HEAD].translate(_URL_SAFE, b" \t\r\n")
    try:
        head = binascii.a2b_base64(start[: len(start) & ~3], strict_mode=True)
    except binascii.Error:
        return False
    return is_image(head)


def form_of(kind: str, body: bytes) -> Form:
    """Return the form of a body with the media type `kind`."""
    return _by_bytes(body) or _by_type(kind, body)


def _by_bytes(body: bytes) -> Form | None:
    """Return the form that the first bytes show, or None if they fit several."""
    if _JSON.match(body):
        return Form.JSON
    if body.startswith(b"--"):
        return Form.MULTIPART
    if body.startswith(_MSGPACK):
        return Form.MSGPACK
    if is_image(body):
        return Form.IMAGE
    return Form.BASE64 if is_base64(body) else None


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
