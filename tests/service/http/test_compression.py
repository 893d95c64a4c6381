"""Compressed bodies are read under the limits of all others."""

import asyncio
import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import OverloadedError, TooLargeError
from service.errors import InvalidRequestError
from service.http.compression import CODINGS, MAX_STREAMS, MAX_WINDOW, decompress
from service.settings import Settings
from tests.cases import Case
from tests.hostile.test_connections import exchange
from tests.server import Server
from tests.service.http.rows import PHOTO, URL, Row, check
from tests.service.in_process import client_of

BODY = json.dumps({"images": [{"data": base64.b64encode(PHOTO).decode()}]}).encode()
READ, ONE_FACE = "read", "read; 1 face"
REFUSED, INVALID = "a typed error", "400 `invalid_request`"
UNSUPPORTED = "415 `unsupported_media`"
LIMIT = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def streamed_zstd(data: bytes) -> bytes:
    """Compress without the size of the content in the head, as a stream."""
    packer = zstandard.ZstdCompressor(level=19).compressobj()
    return packer.compress(data) + packer.flush()


def skippable(data: bytes) -> bytes:
    return b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstandard.compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


def row(name: str, encoding: str, content: bytes, happens: str = ONE_FACE) -> Row:
    expected = READ if happens == ONE_FACE else REFUSED
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    return Row(Case(name, expected, happens), content, headers)


def too_large(name: str, content: bytes) -> Row:
    return row(f"64 MiB and a byte of zeros, compressed with {name}", name, content,
               "413 `too_large`, names `67,108,864 bytes`")  # fmt: skip


ZEROS = bytes((64 << 20) + 1)
ROWS = [
    *(row(f"JSON with `Content-Encoding: {name}`", name, pack(BODY))
      for name, pack in PACKERS.items()),
    *(Row(Case(f"an image with `Content-Encoding: {name}`", READ, ONE_FACE), pack(PHOTO),
          {"content-encoding": name}) for name, pack in PACKERS.items()),
    row("`x-gzip`", "x-gzip", gzip.compress(BODY)),
    row("`GZIP`", "GZIP", gzip.compress(BODY)),
    row("`identity`", "identity", BODY),
    row("`identity, gzip`", "identity, gzip", gzip.compress(BODY)),
    row("deflate without the header of zlib, as old clients send it", "deflate", raw_deflate(BODY)),
    row("gzip in several members", "gzip", gzip.compress(BODY[:99]) + gzip.compress(BODY[99:])),
    row("zstd as a stream", "zstd", streamed_zstd(BODY)),
    row("zstd in several frames", "zstd", zstandard.compress(BODY[:9]) + skippable(BODY[9:])),
    row("`br`", "br", BODY, f"{UNSUPPORTED}, names `br`, `gzip, deflate and zstd`"),
    row("`compress`", "compress", BODY, f"{UNSUPPORTED}, names `compress`"),
    row("`gzip, gzip`", "gzip, gzip", BODY, f"{UNSUPPORTED}, names `gzip, gzip`"),
    row("gzip that is cut off", "gzip", gzip.compress(BODY)[:-1], f"{INVALID}, names `cut off`"),
    row("deflate that is cut off", "deflate", zlib.compress(BODY)[:-9],
        f"{INVALID}, names `cut off`"),
    row("zstd that is cut off", "zstd", zstandard.compress(BODY)[:-9],
        f"{INVALID}, names `cut off`"),
    row("gzip with a wrong checksum", "gzip", gzip.compress(BODY)[:-8] + bytes(8),
        f"{INVALID}, names `damaged`"),
    row("bytes after the end", "gzip", gzip.compress(BODY) + b"more", f"{INVALID}, names `gzip`"),
    row("a body that is not compressed", "gzip", BODY, f"{INVALID}, names `Content-Encoding`"),
    row("no bytes at all", "gzip", b"", "400 `no_images`"),
    row("gzip without `Content-Encoding`", "", gzip.compress(BODY),
        f"{UNSUPPORTED}, names `Content-Encoding: gzip`"),
    row("zstd without `Content-Encoding`", "", zstandard.compress(BODY),
        f"{UNSUPPORTED}, names `Content-Encoding: zstd`"),
    *(too_large(name, pack(ZEROS)) for name, pack in PACKERS.items()),
    row(f"{MAX_STREAMS + 1:,} empty streams of gzip", "gzip",
        gzip.compress(b"") * (MAX_STREAMS + 1), "413 `too_large`, names `streams`"),
    row("zstd with a window of 16 MiB", "zstd",
        zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(
            window_log=24)).compressobj().compress(random.Random(0).randbytes(1 << 18)),
        "413 `too_large`, names `8 MiB`"),
]  # fmt: skip
# A transfer coding is that of a connection: proxies remove it, and browsers never send it.
TRANSFER = [
    (Case(f"`Transfer-Encoding: {name}, chunked`", REFUSED, INVALID), name, pack)
    for name, pack in PACKERS.items()
]
COMPRESSED = [*(row.case for row in ROWS), *(case for case, *_ in TRANSFER)]


@pytest.mark.parametrize("row", ROWS, ids=[row.case.input for row in ROWS])
def test_compressed_bodies(server: Server, row: Row) -> None:
    answer = check(server, row)
    if row.headers.get("content-encoding") in ("br", "compress", "gzip, gzip"):
        assert answer.headers["accept-encoding"] == "gzip, deflate, zstd"


@pytest.mark.parametrize(("case", "name", "pack"), TRANSFER, ids=PACKERS)
def test_compressed_transfers(
    server: Server, case: Case, name: str, pack: Callable[[bytes], bytes]
) -> None:
    content = pack(PHOTO)
    answer = exchange(
        server,
        b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"transfer-encoding: %b, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (name.encode(), len(content), content),
    )
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert f"{problem['status']} `{problem['code']}`" == case.happens
    assert "Content-Encoding" in problem["detail"]


def unpack(name: str, content: bytes, reserve: Callable[[int], None] = lambda size: None) -> bytes:
    return asyncio.run(decompress(CODINGS[name], content, reserve, LIMIT))


@given(name=st.sampled_from(list(PACKERS)), data=st.binary(max_size=3000), at=st.floats(0, 1))
def test_a_truncated_body_is_refused(name: str, data: bytes, at: float) -> None:
    content = PACKERS[name](data)
    assert unpack(name, content) == data
    with pytest.raises(InvalidRequestError):
        unpack(name, content[: max(1, int(at * len(content)))] if at < 1 else content[:-1])


@given(name=st.sampled_from(list(CODINGS)), content=st.binary(min_size=1))
def test_any_bytes_are_decompressed_or_refused(name: str, content: bytes) -> None:
    with suppress(InvalidRequestError, TooLargeError):
        unpack(name, content)


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_stops_at_the_limit(name: str) -> None:
    reserved: list[int] = []
    with pytest.raises(TooLargeError):
        unpack(name, PACKERS[name](bytes(1 << 24)), reserved.append)
    assert sum(reserved) <= LIMIT


@pytest.mark.parametrize("name", PACKERS)
def test_no_step_makes_more_than_8_mib(name: str) -> None:
    """The densest data that the formats allow, nearly: zeros."""
    stream, most = CODINGS[name].open(b"x"), 0
    content, step = PACKERS[name](bytes(1 << 25)), CODINGS[name].step
    for at in range(0, len(content), step):
        most = max(most, len(stream.decompress(content[at : at + step])))
    assert most <= MAX_WINDOW


def test_the_memory_of_all_requests_limits_what_is_decompressed() -> None:
    def reserve(size: int) -> None:
        raise OverloadedError(str(size))

    with pytest.raises(OverloadedError):
        unpack("gzip", gzip.compress(PHOTO), reserve)


async def test_other_requests_run_meanwhile() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(tick())
    content = gzip.compress(random.Random(0).randbytes(LIMIT))
    await decompress(CODINGS["gzip"], content, lambda size: None, LIMIT)
    other.cancel()
    assert ticks >= 8


async def test_the_limit_counts_both_sizes(plans: Path) -> None:
    """A stream of empty blocks is long, but decompresses to nothing."""
    packer = zlib.compressobj()
    content = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    content += b"\0\0\0\xff\xff" * 10_000
    async with client_of(Settings(plans=plans, max_body_bytes=40_000)) as client:
        answer = await client.post(URL, content=content, headers={"content-encoding": "deflate"})
    assert answer.status_code == 413
