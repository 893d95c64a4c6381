"""Reads the images of a JSON or MessagePack body."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from types import ModuleType
from typing import Annotated, Any, NamedTuple, cast

import msgspec

from service.errors import InvalidRequestError
from service.http import base64_text
from service.http.documents import Frame, Frames
from service.http.parameters import unknown_field
from service.http.types import (
    EncodedImage,
    ImageUrl,
    InvalidImage,
    RequestImage,
    too_many_images,
)
from service.http.urls import parse

# JSON with more braces per image has too many images and is not parsed. An image is one object; the
# other braces are for ids and URLs.
BRACES = 64
# Keys are searched after at most this many quotes: a body could have millions.
MAX_QUOTES = 1 << 15
_UTF8_BOM = b"\xef\xbb\xbf"
_KEYS = re.compile(rb'"(images|data|url|id)"\s*:(?!\s*null)')
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`( - at `[^`]*`)?", re.DOTALL)
_NO_BYTES = re.compile(r"at `\$\.images\[\d+\]\.data`$")
# The place in a message of msgspec.
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_NULLS = (msgspec.Raw(b"null"), msgspec.Raw(b"\xc0"))


class LooseFrame(Frame, forbid_unknown_fields=True):
    """A frame whose data are still encoded."""

    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.data is msgspec.UNSET or self.data in _NULLS:
            self.data = None  # type: ignore[assignment]
        super().__post_init__()


class _Format(NamedTuple):
    """A format: decoders of its bodies, and its decoder of one value.

    `strict` is fast and takes only what the schema has. `loose` leaves the data of images encoded.
    """

    strict: Callable[[bytes], Frames]
    loose: Callable[[bytes], Frames]
    decode: Callable[..., Any]


def read_json(body: bytes, max_images: int) -> list[RequestImage]:
    """Read JSON, also with a byte order mark, or in UTF-16 or UTF-32.

    Raises:
        TooLargeError: there are more than `max_images`.
        InvalidRequestError: the body has another form.
    """
    most = BRACES * (max_images + 1)
    if next(islice(_places(body, b"{"), most, None), None) is not None:
        raise too_many_images(max_images)
    if body.startswith(_UTF8_BOM):
        body = body.removeprefix(_UTF8_BOM)
    elif b"\0" in body[:4]:
        try:
            body = body.decode(json.detect_encoding(body)).encode()
        except UnicodeError as error:
            raise _not_utf8() from error
    images = _read(_formats(max_images)[0], body, max_images)
    _reject_repeated_keys(body, images)
    return images


def _places(body: bytes, byte: bytes) -> Iterator[int]:
    """Yield the offsets of a byte; `find` passes over base64 faster than `count` or a pattern."""
    at = body.find(byte)
    while at >= 0:
        yield at
        at = body.find(byte, at + 1)


def _reject_repeated_keys(body: bytes, images: list[RequestImage]) -> None:
    """Reject JSON that has a key twice: the decoder keeps the last value, and drops an image."""
    most = len(images)
    quotes = islice(_places(body, b'"'), MAX_QUOTES)
    keys = Counter(match[1] for at in quotes if (match := _KEYS.match(body, at)))
    for name, found, allowed in (
        ("images", keys[b"images"], 1),
        ("id", keys[b"id"], most),
        ("data or url", keys[b"data"] + keys[b"url"], most),
    ):
        if found > allowed:
            raise InvalidRequestError(f"{name}: the JSON has this key twice; give it once")


def _not_utf8() -> InvalidRequestError:
    return InvalidRequestError("the body is not UTF-8; send text in UTF-8")


def read_msgpack(body: bytes, max_images: int) -> list[RequestImage]:
    """Read MessagePack; errors as `read_json`."""
    return _read(_formats(max_images)[1], body, max_images)


@cache
def _formats(max_images: int) -> tuple[_Format, _Format]:
    """Return decoders that reject a list that is too long, in MessagePack by its length prefix."""
    bodies = _limited(Frame, max_images), _limited(LooseFrame, max_images)
    return _format(msgspec.json, *bodies), _format(msgspec.msgpack, *bodies)


def _format(module: ModuleType, strict: type[Frames], loose: type[Frames]) -> _Format:
    return _Format(module.Decoder(strict).decode, module.Decoder(loose).decode, module.decode)


def _limited(frame: type[msgspec.Struct], max_images: int) -> type[Frames]:
    limited = Annotated[list[frame], msgspec.Meta(max_length=max_images)]  # type: ignore[valid-type]
    made = msgspec.defstruct(
        "Frames", [("images", limited)], bases=(Frames,), forbid_unknown_fields=True
    )
    return cast("type[Frames]", made)


def _read(format_: _Format, body: bytes, max_images: int) -> list[RequestImage]:
    try:
        frames = _decode(format_, body)
    except UnicodeDecodeError as error:
        raise _not_utf8() from error
    except (msgspec.MsgspecError, RecursionError) as error:
        if "`array` of length <=" in str(error):
            raise too_many_images(max_images) from error
        if unknown := _UNKNOWN.fullmatch(str(error)):
            known = ["data", "url", "id"] if unknown[2] else ["images"]
            raise unknown_field(unknown[1], "key", known) from error
        raise _unreadable(str(error)) from error
    return [_image(format_, frame, i) for i, frame in enumerate(frames)]


def _unreadable(message: str) -> InvalidRequestError:
    """Return the error of a body of another form, with an example of the right one."""
    found = _PLACE.search(message)
    where = (found and found[1]) or "the body"
    problem = _PLACE.sub("", message).replace("`", "").replace(" | ", " or ")
    example = '"id": "…", "data": "…"' if where.endswith(".id") else '"data": "…"'
    return InvalidRequestError(f'{where}: {problem}; send {{"images": [{{{example}}}]}}')


def _decode(format_: _Format, body: bytes) -> list[Frame]:
    """Decode strictly; only if the data of an image is not as in the schema, decode loosely."""
    try:
        return format_.strict(body).images
    except msgspec.ValidationError as error:
        if not _NO_BYTES.search(str(error)):
            raise
    return format_.loose(body).images


def _image(format_: _Format, frame: Frame, index: int) -> RequestImage:
    name = str(index) if frame.id is None else frame.id
    if isinstance(frame.data, bytes):
        return EncodedImage(name, frame.data)
    try:
        if frame.url is not None:
            return _from_url(name, frame.url.strip(), f"images[{index}].url")
        return EncodedImage(name, _data(format_, frame.data, f"images[{index}].data"))
    except InvalidRequestError as error:
        return InvalidImage(name, str(error))


def _from_url(name: str, url: str, where: str) -> RequestImage:
    if url[:5].lower() == "data:":
        return EncodedImage(name, base64_text.decode(url, where))
    return ImageUrl(name, parse(url, where))


def _data(format_: _Format, value: object, where: str) -> bytes:
    """Decode the data of an image that may be bytes, or base64 in any form."""
    try:
        found: bytes = format_.decode(value, type=bytes)
    except msgspec.ValidationError:
        return base64_text.decode(_text(format_, value, where), where)
    return found


def _text(format_: _Format, value: object, where: str) -> str:
    try:
        text: str = format_.decode(value, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{where}: {error}") from error
    if text[:4].lower() == "http":
        raise InvalidRequestError(f"{where} is a URL; send it as `url`")
    return text
