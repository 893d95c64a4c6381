"""A request's body to images, or to where they are, in each of the four forms taken."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

import httpx
import msgspec
from fastapi import Request
from python_multipart.exceptions import ParseError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from service.errors import InvalidRequest, NoImages, TooLarge, UnsupportedMediaType
from service.schemas import Frame, Frames
from service.urls import parse

FIELD = "images"
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
MSGPACK_TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
_JSON = msgspec.json.Decoder(Frames)
_MSGPACK = msgspec.msgpack.Decoder(Frames)


class Encoded(NamedTuple):
    """An image as it came, with the name that its answer bears."""

    id: str
    data: bytes


class Linked(NamedTuple):
    """An image that is to be fetched, with the name that its answer bears."""

    id: str
    url: httpx.URL


Sent = Encoded | Linked


async def read_images(request: Request, *, max_bytes: int, max_images: int) -> list[Sent]:
    """Read the images of a request.

    Raises:
        TooLarge: more bytes or images than allowed.
        UnsupportedMediaType: a content type that is not taken.
        InvalidRequest: the body is not of the form that its content type promises.
        NoImages: there is none in it.
    """
    body = await read_body(request, max_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    images = await _parse(kind, body, request, max_images)
    if not images:
        raise NoImages(f"the request holds no image; send at least one as {FIELD!r}")
    return images


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read a body of at most `max_bytes`; a longer one is refused as soon as that is known."""
    refusal = TooLarge(f"the body is larger than {max_bytes} bytes; send fewer or smaller images")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise refusal
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise refusal
    return b"".join(chunks)  # without a copy, where there is but one


async def _parse(kind: str, body: bytes, request: Request, max_images: int) -> list[Sent]:
    if kind == "multipart/form-data":
        return await _multipart(body, request, max_images)
    if kind in IMAGE_TYPES:
        return [Encoded("0", body)] if body else []
    if kind == "application/json":
        return _frames(_JSON, body, max_images)
    if kind in MSGPACK_TYPES:
        return _frames(_MSGPACK, body, max_images)
    taken = ", ".join(("multipart/form-data", *IMAGE_TYPES, "application/json", MSGPACK_TYPES[0]))
    raise UnsupportedMediaType(f"content type {kind or 'missing'!r}; send one of {taken}")


def _frames(
    decoder: "msgspec.json.Decoder[Frames] | msgspec.msgpack.Decoder[Frames]",
    body: bytes,
    max_images: int,
) -> list[Sent]:
    try:
        frames = decoder.decode(body).images
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not a list of images: {error}") from error
    _refuse_many(len(frames), max_images)  # before work is done for each
    return [_sent(frame, i) for i, frame in enumerate(frames)]


def _refuse_many(images: int, most: int) -> None:
    if images > most:
        raise TooLarge(f"the request holds {images} images; the limit is {most}")


def _sent(frame: Frame, index: int) -> Sent:
    name = str(index) if frame.id is None else frame.id
    if isinstance(frame.data, bytes):
        return Encoded(name, frame.data)
    return Linked(name, parse(str(frame.url)))


async def _multipart(body: bytes, request: Request, max_images: int) -> list[Sent]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=max_images, max_fields=16)
    parser.spool_max_size = len(body) + 1  # never to disk: frames are people's faces
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise TooLarge(f"more than {max_images} images in a request") from error
        raise InvalidRequest(f"the form cannot be read: {error.message}") from error
    except (ParseError, KeyError, UnicodeDecodeError) as error:
        raise InvalidRequest("the form cannot be read; send valid multipart/form-data") from error
    opened = parser._files_to_close_on_error  # noqa: SLF001  (those of unfinished parts, too)
    try:
        if len(opened) > sum(isinstance(part, UploadFile) for _, part in form.multi_items()):
            raise InvalidRequest("the form ends before its end; send it whole")
        parts = [part for part in form.getlist(FIELD) if isinstance(part, UploadFile)]
        return [Encoded(p.filename or str(i), await p.read()) for i, p in enumerate(parts)]
    finally:
        for file in opened:
            file.close()
