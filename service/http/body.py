"""Reads the images or URLs in a body: one raw image, a form, JSON or MessagePack."""

from fastapi import Request

from analysis.errors import TooLargeError, UnsupportedMediaTypeError
from service.errors import InvalidRequestError, NoImagesError
from service.http import base64_text, frames
from service.http.compression import MAGIC, Reserve, coding_of, decompress
from service.http.forms import FIELD, read_form, read_urlencoded
from service.http.media import URLENCODED, Form, form_of, media_type, why_no_image
from service.http.types import EncodedImage, RequestImage

# How JPEG, PNG, GIF and WebP begin without the bytes that `curl -d` removes.
FILES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")
STRIPPED = (b"\r", b"\n", b"\0")


async def read_images(
    request: Request, reserve: Reserve, *, max_bytes: int, max_images: int
) -> list[RequestImage]:
    """Read the images of a request; `reserve` is called with the size of each chunk.

    Raises:
        OverloadedError: all requests together have too many bytes in memory.
        TooLargeError: more bytes or images than allowed.
        UnsupportedMediaTypeError: the body has no supported form, or the content encoding is not
            supported.
        InvalidRequestError: the body does not have the form that it begins with or that its
            content type names, or its transfer is compressed.
        NoImagesError: the body has no image.
    """
    coding = coding_of(request)
    body = await _read(request, reserve, max_bytes)
    if coding is None:
        _reject_compressed(body)
    elif body:
        body = await decompress(coding, body, reserve, max_bytes)
    content_type = request.headers.get("content-type", "")
    images = await _parse(content_type, body, max_images) if body else []
    if not images:
        raise NoImagesError(f"the request has no image; send at least one as {FIELD!r}")
    return images


async def _read(request: Request, reserve: Reserve, max_bytes: int) -> bytes:
    """Read a body of at most `max_bytes`; reject a longer one as early as possible."""
    error = TooLargeError(
        f"the body is larger than {max_bytes:,} bytes; send fewer or smaller images"
    )
    length = request.headers.get("content-length")
    if length is None:
        _reject_transfer_coding(request)
    elif length.isdecimal() and int(length) > max_bytes:
        raise error
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise error
        reserve(len(chunk))
    return b"".join(chunks)  # no copy if there is only one


def _reject_transfer_coding(request: Request) -> None:
    coding = request.headers.get("transfer-encoding", "chunked")
    if coding.lower() != "chunked":
        raise InvalidRequestError(
            f"transfer encoding {coding[:64]!r}; compress with Content-Encoding instead"
        )


def _reject_compressed(body: bytes) -> None:
    """Reject a compressed body without `Content-Encoding`: its form would seem to be wrong."""
    for start, name in MAGIC.items():
        if body.startswith(start):
            raise UnsupportedMediaTypeError(
                f"the body is compressed with {name}; send the header `Content-Encoding: {name}`"
            )


def _reject_stripped(kind: str, body: bytes) -> None:
    """Reject a file that `curl -d` has sent without its line breaks and zeros."""
    if kind == URLENCODED and body.startswith(FILES) and not any(byte in body for byte in STRIPPED):
        raise InvalidRequestError(
            "the image has no line breaks and no zeros, which `curl -d` removes; send it with "
            "`curl --data-binary`"
        )


async def _parse(content_type: str, body: bytes, max_images: int) -> list[RequestImage]:
    kind = media_type(content_type)
    _reject_stripped(kind, body)
    match form_of(kind, body):
        case Form.IMAGE:
            return [EncodedImage("0", body)]
        case Form.BASE64:
            return [EncodedImage("0", base64_text.decode(body.decode("latin-1"), "the body"))]
        case Form.MULTIPART:
            return await read_form(content_type, body, max_images)
        case Form.URLENCODED:
            return await read_urlencoded(body, max_images)
        case Form.JSON:
            return frames.read_json(body, max_images)
        case Form.MSGPACK:
            return frames.read_msgpack(body, max_images)
    shown = repr(kind[:64]) if kind else "missing"
    raise UnsupportedMediaTypeError(
        f"{why_no_image(body)}; the content type is {shown}; send an image, or "
        "images in multipart/form-data, application/json or application/msgpack"
    )
