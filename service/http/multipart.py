"""Reads the files of a form (multipart/form-data) that is in memory."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import IO

from fastapi import Request
from python_multipart.exceptions import ParseError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from service.errors import InvalidRequestError
from service.http.types import EncodedImage, too_many_images

FIELD = "images"
MAX_FIELDS = 16
# Other requests run between two slices. A slice with the worst parts and boundaries takes about
# 30 ms of CPU (`docs/LOG.md`).
SLICE_BYTES = 64 << 10


async def read_files(request: Request, body: bytes, max_images: int) -> list[EncodedImage]:
    """Read the files in the field `images`; a file without a name gets its index as its name.

    Raises:
        TooLargeError: there are more than `max_images` files.
        InvalidRequestError: the form is malformed or cut off.
    """
    _require_utf8(request)
    parser = MultiPartParser(
        request.headers, _slices(body), max_files=max_images, max_fields=MAX_FIELDS
    )
    parser.spool_max_size = len(body) + 1  # never on disk: images show faces of people
    form = await _parse(parser, max_images)
    opened = parser._files_to_close_on_error  # noqa: SLF001  (also those of unfinished parts)
    try:
        return await _files(form, opened)
    finally:
        for file in opened:
            file.close()


async def _slices(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), SLICE_BYTES):
        if start:
            await asyncio.sleep(0)
        yield body[start : start + SLICE_BYTES]


async def _parse(parser: MultiPartParser, max_images: int) -> FormData:
    try:
        return await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise too_many_images(max_images) from error
        raise InvalidRequestError(f"the form cannot be read: {error.message}") from error
    except (ParseError, KeyError, UnicodeError) as error:
        raise InvalidRequestError(
            "the form cannot be read; send valid multipart/form-data"
        ) from error


async def _files(form: FormData, opened: Sequence[IO[bytes]]) -> list[EncodedImage]:
    """Return the files; a file that was opened but is not in the form is cut off."""
    if len(opened) > sum(isinstance(part, UploadFile) for _, part in form.multi_items()):
        raise InvalidRequestError("the form is cut off; send it whole")
    parts = [part for part in form.getlist(FIELD) if isinstance(part, UploadFile)]
    return [EncodedImage(p.filename or str(i), await p.read()) for i, p in enumerate(parts)]


def _require_utf8(request: Request) -> None:
    """Reject encodings other than UTF-8 (RFC 7578): JSON cannot represent all names in some."""
    _, given = parse_options_header(request.headers["content-type"])
    charset = given.get(b"charset", b"utf-8").lower()
    if charset not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise InvalidRequestError("file names in a form must be UTF-8; send no other charset")
