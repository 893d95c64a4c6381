"""Reads the images or URLs in a body: a form, one raw image, JSON or MessagePack."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, NamedTuple, cast

import msgspec
from fastapi import Request

from analysis.errors import TooLargeError, UnsupportedMediaTypeError
from service.errors import InvalidRequestError, NoImagesError
from service.http.documents import Frame, Frames
from service.http.multipart import FIELD, read_files
from service.http.types import EncodedImage, ImageUrl, RequestImage, too_many_images
from service.http.urls import parse

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
MSGPACK_TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
# JSON with more braces per image has too many images and is not parsed. An image is one object; the
# other braces are for ids and URLs.
BRACES = 64
Decode = Callable[[bytes], Frames]


async def read_images(
    request: Request, reserve: Callable[[int], None], *, max_bytes: int, max_images: int
) -> list[RequestImage]:
    """Read the images of a request; `reserve` is called with the size of each chunk.

    Raises:
        OverloadedError: all requests together have too many bytes in memory.
        TooLargeError: more bytes or images than allowed.
        UnsupportedMediaTypeError: the content type is not supported.
        InvalidRequestError: the body does not have the form of its content type.
        NoImagesError: the body has no image.
    """
    body = await _read(request, reserve, max_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    images = await _parse(kind, body, request, max_images)
    if not images:
        raise NoImagesError(f"the request has no image; send at least one as {FIELD!r}")
    return images


async def _read(request: Request, reserve: Callable[[int], None], max_bytes: int) -> bytes:
    """Read a body of at most `max_bytes`; reject a longer one as early as possible."""
    error = TooLargeError(
        f"the body is larger than {max_bytes} bytes; send fewer or smaller images"
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise error
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise error
        reserve(len(chunk))
    return b"".join(chunks)  # no copy if there is only one


async def _parse(kind: str, body: bytes, request: Request, max_images: int) -> list[RequestImage]:
    if kind == "multipart/form-data":
        return [*await read_files(request, body, max_images)]
    if kind in IMAGE_TYPES:
        return [EncodedImage("0", body)] if body else []
    if kind == "application/json":
        if body.count(b"{") > BRACES * (max_images + 1):
            raise too_many_images(max_images)
        return _decode(_decoders(max_images).json, body, max_images)
    if kind in MSGPACK_TYPES:
        return _decode(_decoders(max_images).msgpack, body, max_images)
    types = ("multipart/form-data", *IMAGE_TYPES, "application/json", MSGPACK_TYPES[0])
    raise UnsupportedMediaTypeError(
        f"content type {kind or 'missing'!r}; send one of {', '.join(types)}"
    )


class _Decoders(NamedTuple):
    json: Decode
    msgpack: Decode


@cache
def _decoders(max_images: int) -> _Decoders:
    """Return decoders that reject a list that is too long, in MessagePack by its length prefix."""
    limited = Annotated[list[Frame], msgspec.Meta(max_length=max_images)]
    made = msgspec.defstruct(
        "Frames", [("images", limited)], bases=(Frames,), forbid_unknown_fields=True
    )
    frames = cast("type[Frames]", made)
    return _Decoders(msgspec.json.Decoder(frames).decode, msgspec.msgpack.Decoder(frames).decode)


def _decode(decode: Decode, body: bytes, max_images: int) -> list[RequestImage]:
    try:
        frames = decode(body).images
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if "`array` of length <=" in str(error):
            raise too_many_images(max_images) from error
        raise InvalidRequestError(f"the body is not a list of images: {error}") from error
    return [_image(frame, i) for i, frame in enumerate(frames)]


def _image(frame: Frame, index: int) -> RequestImage:
    name = str(index) if frame.id is None else frame.id
    if isinstance(frame.data, bytes):
        return EncodedImage(name, frame.data)
    return ImageUrl(name, parse(str(frame.url)))
