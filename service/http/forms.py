"""Reads the images of a form, from its files and from the text of its fields."""

import asyncio
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from service.errors import InvalidRequestError
from service.http import base64_text, urls
from service.http.media import is_base64, is_image
from service.http.multipart import Part, read_parts
from service.http.parameters import unknown_field
from service.http.types import (
    EncodedImage,
    ImageUrl,
    InvalidImage,
    RequestImage,
    too_many_images,
)

FIELD = "images"
# A form may have more parts than images: empty inputs, and the character set.
MAX_OTHERS = 16
# PHP and Rails number the fields of a list; browsers fill in `_charset_` (RFC 7578, 4.6).
_FIELD = re.compile(rf"{FIELD}(\[[^\]]*\])?")
_CHARSET = "_charset_"
_WEB = re.compile(r"\s*https?:", re.IGNORECASE)
_MAX_NAME = 256


async def read_form(content_type: str, body: bytes, max_images: int) -> list[RequestImage]:
    """Read the images of a multipart form; one without a file name gets its index as its name.

    Raises:
        TooLargeError: there are more than `max_images`.
        InvalidRequestError: the form is malformed or cut off, or has another field.
    """
    return await _images(read_parts(content_type, body), max_images)


async def read_urlencoded(body: bytes, max_images: int) -> list[RequestImage]:
    """Read the images of a form as text, `images=…&images=…`; errors as `read_form`."""
    return await _images(_fields(body), max_images)


async def _images(parts: Iterator[Part], max_images: int) -> list[RequestImage]:
    images: list[RequestImage] = []
    for number, part in enumerate(parts):
        if number:
            await asyncio.sleep(0)  # other requests run
        if number > max_images + MAX_OTHERS:
            raise InvalidRequestError(f"the form has more than {number} parts; send fewer")
        if not _has_image(part):
            continue
        if len(images) == max_images:
            raise too_many_images(max_images)
        images.append(_image(part, len(images)))
    return images


def _has_image(part: Part) -> bool:
    """Return whether a part has an image; browsers send an empty part for an empty input."""
    empty = not (part.filename or part.data)
    if not part.field or _FIELD.fullmatch(part.field):  # no field in multipart/mixed
        return not empty
    if part.field == _CHARSET or (empty and part.filename is not None):
        return False
    if part.filename is None:
        raise unknown_field(part.field, "field of the form", [FIELD])
    raise InvalidRequestError(
        f"{part.field:.64}: the form has a file in this field; send it in the field {FIELD!r}"
    )


def _image(part: Part, index: int) -> RequestImage:
    """Return the image of a part: a file, or text: base64, a data URL or a URL."""
    name = _base_name(part.filename or "") or str(index)
    if _is_file(part):
        return EncodedImage(name, part.data)
    text, where = part.data.decode(), f"{FIELD}[{index}]"
    try:
        if _WEB.match(text):
            return ImageUrl(name, urls.parse(text.strip(), where))
        return EncodedImage(name, base64_text.decode(text, where))
    except InvalidRequestError as error:
        return InvalidImage(name, str(error))


def _is_file(part: Part) -> bool:
    """Return whether a part has bytes, not text; some apps send base64 with the name of a file."""
    if is_image(part.data) or not part.data.isascii():
        return True
    return part.filename is not None and not is_base64(part.data)


def _base_name(filename: str) -> str:
    """Return the name without the path, which old browsers on Windows send."""
    return filename.rpartition("\\")[2] if filename[1:3] == ":\\" else filename


def _fields(body: bytes) -> Iterator[Part]:
    """Yield the fields of a urlencoded form. A plus stays a plus: many clients do not escape it."""
    at = 0
    while at <= len(body):
        end = body.find(b"&", at) % (len(body) + 1)  # -1 becomes the end
        name, _, value = body[at:end].partition(b"=")
        at = end + 1
        field = unquote_plus(name[:_MAX_NAME].decode("latin-1"))
        yield Part(field, None, base64_text.unescape(value))
