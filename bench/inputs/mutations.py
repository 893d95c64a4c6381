"""Request bodies with random damage; the same seed gives the same damage."""

import random
from collections.abc import Callable

from bench.inputs.corpus import bodies
from bench.inputs.forms import Body

Mutation = Callable[[random.Random, bytearray], None]
LARGEST = 1 << 16
# What confuses parsers: limits of number ranges, markers, quotes, delimiters.
TOKENS = (
    *(b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0"),
    *(b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff\xc4", b"\xff\xe1", b"Exif\0\0"),
    *(b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"IEND", b"VP8X", b"ANMF", b"ALPH", b"BM"),
    *(b"--corpus\r\n", b"--corpus--", b"\r\n\r\n", b'"', b"{", b"[", b"]", b"}", b"null", b"1e999"),
    *(b'"images"', b'"data"', b'"id"', b'"url"', b"\\ud800", b"\xed\xa0\x80", b"=", b"name=", b";"),
    *(b"\x93", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xc1", b"\xd9\xff", b"\xa1\xff"),
)
KINDS = (
    *("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff"),
    *("image/heic", "image/avif", "image/jxl", "application/json", "application/msgpack"),
    *("multipart/form-data; boundary=corpus", "multipart/form-data", "multipart/mixed"),
    *("application/x-www-form-urlencoded", "text/plain", ""),
    *('multipart/form-data; boundary="', "application/json; charset=utf-16"),
)


def mutated(rng: random.Random) -> Body:
    """A body of the corpus, damaged one to eight times; one in 16 gets another content type."""
    body = rng.choice(bodies())
    content = bytearray(body.content)
    for _ in range(rng.randint(1, 8)):
        rng.choice(MUTATIONS)(rng, content)
    kind = rng.choice(KINDS) if rng.random() < 1 / 16 else body.kind
    return Body(kind, bytes(content[:LARGEST]))


def _flip(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _replace(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] = rng.randrange(256)


def _cut(rng: random.Random, content: bytearray) -> None:
    begin = rng.randint(0, len(content))
    del content[begin : begin + rng.choice((1, 4, 64, len(content)))]


def _repeat(rng: random.Random, content: bytearray) -> None:
    begin = rng.randint(0, len(content))
    piece = content[begin : begin + rng.choice((1, 12, 100))]
    content[begin:begin] = piece * rng.choice((1, 2, 50))


def _insert(rng: random.Random, content: bytearray) -> None:
    at = rng.randint(0, len(content))
    content[at:at] = rng.choice(TOKENS)


def _overwrite(rng: random.Random, content: bytearray) -> None:
    token = rng.choice(TOKENS)
    at = rng.randint(0, len(content))
    content[at : at + len(token)] = token


def _splice(rng: random.Random, content: bytearray) -> None:
    other = rng.choice(bodies()).content
    begin = rng.randint(0, len(content))
    content[begin:] = other[rng.randint(0, len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (_flip, _replace, _cut, _repeat, _insert, _overwrite, _splice)
