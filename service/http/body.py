"""A request's body to images, or to where they are, in each of the four forms taken."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import cache
from typing import Annotated, NamedTuple

import httpx
import msgspec
from fastapi import Request
from python_multipart.exceptions import ParseError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from analysis.document import Frame, Frames
from analysis.errors import TooLargeError, UnsupportedMediaTypeError
from service.errors import InvalidRequestError, NoImagesError
from service.http.urls import parse

FIELD = "images"
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
MSGPACK_TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
# What a form is read in, between turns of others: the worst parts and boundaries take
# some thirty milliseconds of CPU a slice (`docs/LOG.md`).
SLICE = 64 << 10
# Each image of JSON is an object; so many of its braces may stand in names and addresses.
BRACES = 64


class Encoded(NamedTuple):
    """An image as it came, with the name that its answer bears."""

    id: str
    data: bytes


class Linked(NamedTuple):
    """An image that is to be fetched, with the name that its answer bears."""

    id: str
    url: httpx.URL


Sent = Encoded | Linked


async def read_images(
    request: Request, hold: Callable[[int], None], *, max_bytes: int, max_images: int
) -> list[Sent]:
    """Read the images of a request; `hold` is called with the size of each piece.

    Raises:
        OverloadedError: all requests together hold too many bytes.
        TooLargeError: more bytes or images than allowed.
        UnsupportedMediaTypeError: a content type that is not taken.
        InvalidRequestError: the body is not of the form that its content type promises.
        NoImagesError: there is none in it.
    """
    body = await read_body(request, hold, max_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    images = await _parse(kind, body, request, max_images)
    if not images:
        raise NoImagesError(f"the request holds no image; send at least one as {FIELD!r}")
    return images


async def read_body(request: Request, hold: Callable[[int], None], max_bytes: int) -> bytes:
    """Read a body of at most `max_bytes`; a longer one is refused as soon as that is known."""
    refusal = TooLargeError(
        f"the body is larger than {max_bytes} bytes; send fewer or smaller images"
    )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise refusal
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise refusal
        hold(len(chunk))
    return b"".join(chunks)  # without a copy, where there is but one


async def _parse(kind: str, body: bytes, request: Request, max_images: int) -> list[Sent]:
    if kind == "multipart/form-data":
        return await _multipart(body, request, max_images)
    if kind in IMAGE_TYPES:
        return [Encoded("0", body)] if body else []
    if kind == "application/json":
        if body.count(b"{") > BRACES * (max_images + 1):
            raise _too_many(max_images)
        return _frames(_decoders(max_images).json, body, max_images)
    if kind in MSGPACK_TYPES:
        return _frames(_decoders(max_images).msgpack, body, max_images)
    taken = ", ".join(("multipart/form-data", *IMAGE_TYPES, "application/json", MSGPACK_TYPES[0]))
    raise UnsupportedMediaTypeError(f"content type {kind or 'missing'!r}; send one of {taken}")


class _Decoders(NamedTuple):
    json: "msgspec.json.Decoder[Frames]"
    msgpack: "msgspec.msgpack.Decoder[Frames]"


@cache
def _decoders(max_images: int) -> _Decoders:
    """Decoders that refuse a longer list by its head, where the form has one."""
    limited = Annotated[list[Frame], msgspec.Meta(max_length=max_images)]
    frames = msgspec.defstruct(
        "Frames", [("images", limited)], bases=(Frames,), forbid_unknown_fields=True
    )
    return _Decoders(msgspec.json.Decoder(frames), msgspec.msgpack.Decoder(frames))


def _frames(
    decoder: "msgspec.json.Decoder[Frames] | msgspec.msgpack.Decoder[Frames]",
    body: bytes,
    max_images: int,
) -> list[Sent]:
    try:
        frames = decoder.decode(body).images
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if "`array` of length <=" in str(error):
            raise _too_many(max_images) from error
        raise InvalidRequestError(f"the body is not a list of images: {error}") from error
    return [_sent(frame, i) for i, frame in enumerate(frames)]


def _too_many(most: int) -> TooLargeError:
    return TooLargeError(f"the request holds more than {most} images, which is the limit")


def _sent(frame: Frame, index: int) -> Sent:
    name = str(index) if frame.id is None else frame.id
    if isinstance(frame.data, bytes):
        return Encoded(name, frame.data)
    return Linked(name, parse(str(frame.url)))


async def _multipart(body: bytes, request: Request, max_images: int) -> list[Sent]:
    async def stream() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), SLICE):
            if start:
                await asyncio.sleep(0)
            yield body[start : start + SLICE]

    _require_utf8(request)
    parser = MultiPartParser(request.headers, stream(), max_files=max_images, max_fields=16)
    parser.spool_max_size = len(body) + 1  # never to disk: frames are people's faces
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise _too_many(max_images) from error
        raise InvalidRequestError(f"the form cannot be read: {error.message}") from error
    except (ParseError, KeyError, UnicodeError) as error:
        raise InvalidRequestError(
            "the form cannot be read; send valid multipart/form-data"
        ) from error
    opened = parser._files_to_close_on_error  # noqa: SLF001  (those of unfinished parts, too)
    try:
        if len(opened) > sum(isinstance(part, UploadFile) for _, part in form.multi_items()):
            raise InvalidRequestError("the form ends before its end; send it whole")
        parts = [part for part in form.getlist(FIELD) if isinstance(part, UploadFile)]
        return [Encoded(p.filename or str(i), await p.read()) for i, p in enumerate(parts)]
    finally:
        for file in opened:
            file.close()


def _require_utf8(request: Request) -> None:
    """Names are UTF-8 (RFC 7578); of Python's other encodings some give names that JSON cannot."""
    _, given = parse_options_header(request.headers["content-type"])
    charset = given.get(b"charset", b"utf-8").lower()
    if charset not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise InvalidRequestError(
            "the names of a form's files are read as UTF-8; send no other charset"
        )
