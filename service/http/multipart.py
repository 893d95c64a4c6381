"""Splits forms and other multipart bodies into their parts (RFC 2046, 5.1; RFC 7578).

Programs also send what mail libraries write: lines that end in LF, folded headers, parts in base64,
and parts within parts. Starlette's parser reads none of these.
"""

import binascii
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from typing import NamedTuple

from service.errors import InvalidRequestError
from service.http.media import is_image, media_type

# `email` takes quadratic time for headers, and fails on numbers of more than 4,300 digits.
MAX_HEAD = 4 << 10
MAX_TYPE = 1 << 10
# White space after a boundary, as some gateways add it.
MAX_LINE = 1 << 10
MAX_BOUNDARY = 256
MAX_DEPTH = 3
TYPE = "content-type"
# Character sets of file names; names that are not UTF-8 are read as Latin-1.
CHARSETS = ("utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252")
# The first line of a body is its delimiter; not all clients name the boundary in the content type.
_FIRST_LINE = re.compile(rb"--([^\r\n]{1,%d}?)[ \t]*\r?\n" % MAX_BOUNDARY)


class Part(NamedTuple):
    """A part: the names of its field and file, and its bytes, which may be base64."""

    field: str | None
    filename: str | None
    data: bytes


def read_parts(content_type: str, body: bytes) -> Iterator[Part]:
    """Yield the parts of a body with this content type, and the parts within them.

    Raises:
        InvalidRequestError: the body is malformed or cut off.
    """
    if len(content_type) > MAX_TYPE:
        raise InvalidRequestError(f"the content type has more than {MAX_TYPE} characters")
    headers = Message()
    headers[TYPE] = content_type
    given = _parameters(headers, TYPE)
    if given.get("charset", CHARSETS[0]).lower() not in CHARSETS:
        raise InvalidRequestError(
            "file names in a form must be UTF-8 or Latin-1; send no other charset"
        )
    yield from _parts(_boundary(given, body), body, None, MAX_DEPTH)


def _parts(boundary: bytes, body: bytes, outer: str | None, depth: int) -> Iterator[Part]:
    """Yield the parts in a body; one without a field belongs to that of the form around it."""
    for head, content in _split(body, boundary):
        headers = _headers(head)
        names = _parameters(headers, "content-disposition")
        field = names.get("name", outer)
        if media_type(headers.get(TYPE, "")).startswith("multipart/"):
            if depth == 0:
                raise InvalidRequestError("the form has too many forms within forms")
            inner = _boundary(_parameters(headers, TYPE), content)
            yield Part(field, None, b"")  # so that the reader counts it
            yield from _parts(inner, content, field, depth - 1)
        else:
            yield Part(field, names.get("filename"), _decode(headers, content))


def _boundary(given: dict[str, str], body: bytes) -> bytes:
    """Return the boundary that the content type names, or else the first line of the body."""
    boundary = given.get("boundary", "").encode()
    if not boundary and (line := _FIRST_LINE.match(body)):
        boundary = line[1]
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise InvalidRequestError(
            "the content type names no boundary; let the HTTP library set `Content-Type`"
        )
    return boundary


def _split(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the head and the content of each part; what precedes and follows them is ignored."""
    mark = b"--" + boundary
    at = 0 if body.startswith(mark) else body.find(b"\n" + mark) + 1
    if not body.startswith(mark, at):
        raise InvalidRequestError(
            "the boundary of the content type is not in the body; let the HTTP library set "
            "`Content-Type`"
        )
    at += len(mark)
    line = body[at : at + MAX_LINE].partition(b"\n")[0]
    end_of_line = b"\r\n" if line.endswith(b"\r") else b"\n"
    while not body.startswith(b"--", at):
        begin = body.find(end_of_line, at)
        end = body.find(end_of_line + mark, begin)
        if begin < 0 or end < 0:
            raise InvalidRequestError("the form is cut off; send it whole")
        if body[at:begin].strip(b" \t"):
            raise InvalidRequestError("a line of the form begins with its boundary, but is longer")
        head = body.find(end_of_line * 2, begin, end)
        if not 0 <= head - begin <= MAX_HEAD:
            raise InvalidRequestError(
                f"a part of the form has no headers, or more than {MAX_HEAD:,} bytes of them"
            )
        yield body[begin:head], body[head + 2 * len(end_of_line) : end]
        at = end + len(end_of_line + mark)


def _headers(head: bytes) -> Message:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return HeaderParser().parsestr(text.strip())


def _parameters(headers: Message, header: str) -> dict[str, str]:
    """Return the parameters of a header, the first of each name; also `name*=` (RFC 8187)."""
    try:
        found = headers.get_params([], header)
    except (TypeError, ValueError) as error:  # `email` sorts the parts of a value by their numbers
        raise InvalidRequestError(f"the header {header} of the form is malformed") from error
    return {name.lower(): _text(value) for name, value in reversed(found)}


def _text(value: str | tuple[str | None, str | None, str]) -> str:
    if isinstance(value, str):
        return value
    charset, _, text = value
    if (charset or "").lower() == "iso-8859-1":
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _decode(headers: Message, content: bytes) -> bytes:
    """Decode the transfer encoding of a part; the bytes of an image stay, whatever it claims.

    Base64 stays: forms may have it in any part, and its error is that of one image.
    """
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    if encoding in ("", "7bit", "8bit", "binary", "base64") or is_image(content):
        return content
    if encoding == "quoted-printable":
        return binascii.a2b_qp(content)
    raise InvalidRequestError(
        f"content transfer encoding {encoding[:64]!r}; send the bytes of the file"
    )
