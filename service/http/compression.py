"""Decompresses request bodies: gzip, deflate and zstd (RFC 9110, 8.4.1; RFC 8878)."""

import asyncio
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from fastapi import Request
from zstandard import ZstdDecompressor, ZstdError

from analysis.errors import TooLargeError
from service.errors import InvalidRequestError, UnsupportedEncodingError

# Of a zstd frame; HTTP allows no more (RFC 9659).
MAX_WINDOW = 8 << 20
# A file of bgzip has a stream per 64 KiB. Without a limit, empty streams would cost seconds.
MAX_STREAMS = 4096
# Other requests run between two slices of this size.
SLICE_BYTES = 64 << 10
# The first bytes of compressed data.
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
Reserve = Callable[[int], None]


class Stream(Protocol):
    """One compressed stream; `eof` is set after its last byte, `unused_data` is what follows."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Coding(NamedTuple):
    """A content coding. `step` bytes become at most 8 MiB, whatever they contain."""

    name: str
    step: int
    open: Callable[[bytes], Stream]


def _gzip(_: bytes) -> Stream:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _deflate(data: bytes) -> Stream:
    """Open a zlib stream or, as some clients send it, a deflate stream without zlib's header."""
    return zlib.decompressobj(zlib.MAX_WBITS if data[0] & 15 == zlib.DEFLATED else -zlib.MAX_WBITS)


def _zstd(_: bytes) -> Stream:
    return ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()


# A byte of deflate becomes at most 1,032 bytes; four bytes of zstd become at most 128 KiB.
CODINGS = {
    "gzip": Coding("gzip", 4096, _gzip),
    "x-gzip": Coding("gzip", 4096, _gzip),
    "deflate": Coding("deflate", 4096, _deflate),
    "zstd": Coding("zstd", 256, _zstd),
}


def coding_of(request: Request) -> Coding | None:
    """Return the content coding of a request, or None if the body is not compressed.

    Raises:
        UnsupportedEncodingError: the service does not read this coding, or there are several.
    """
    given = ",".join(request.headers.getlist("content-encoding"))
    names = [name for each in given.lower().split(",") if (name := each.strip())]
    names = [name for name in names if name != "identity"]
    if not names:
        return None
    if len(names) == 1 and names[0] in CODINGS:
        return CODINGS[names[0]]
    raise UnsupportedEncodingError(
        f"content encoding {', '.join(names)[:64]!r}; send one of gzip, deflate and zstd, or none"
    )


async def decompress(coding: Coding, body: bytes, reserve: Reserve, max_bytes: int) -> bytes:
    """Decompress a body; `reserve` is called with the size of each piece.

    Raises:
        OverloadedError: all requests together have too many bytes in memory.
        TooLargeError: more than `max_bytes`, or more work than any body needs.
        InvalidRequestError: the body is damaged, cut off, or not compressed in this way.
    """
    pieces, size, since_pause = [], 0, 0
    for piece in _pieces(coding, body):
        size += len(piece)
        since_pause += len(piece) + coding.step
        if size > max_bytes:
            raise TooLargeError(
                f"the decompressed body is larger than {max_bytes:,} bytes; send fewer or smaller "
                "images"
            )
        reserve(len(piece))
        pieces.append(piece)
        if since_pause >= SLICE_BYTES:
            since_pause = 0
            await asyncio.sleep(0)
    return b"".join(pieces)


def _pieces(coding: Coding, body: bytes) -> Iterator[bytes]:
    try:
        yield from _inflate(coding, body)
    except (zlib.error, ZstdError) as error:
        if "too much memory" in str(error):
            raise TooLargeError(
                "the zstd frame has a window of more than 8 MiB (RFC 9659); compress with a lower "
                "level"
            ) from error
        raise InvalidRequestError(
            f"the body is damaged, or not compressed with {coding.name} as Content-Encoding says"
        ) from error


def _inflate(coding: Coding, body: bytes) -> Iterator[bytes]:
    """Decompress all streams of a body: gzip and zstd allow several, one after the other."""
    stream, streams = coding.open(body), 1
    for start in range(0, len(body), coding.step):
        rest = body[start : start + coding.step]
        while rest:
            if stream.eof:
                stream, streams = coding.open(rest), streams + 1
            if streams > MAX_STREAMS:
                raise TooLargeError(f"the body has more than {MAX_STREAMS} compressed streams")
            yield stream.decompress(rest)
            rest = stream.unused_data
    if not stream.eof:
        raise InvalidRequestError(f"the {coding.name} body is cut off; send it whole")
