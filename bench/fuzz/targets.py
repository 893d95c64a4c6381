"""What the fuzzers call: each target takes any bytes and raises only what no client may cause."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Message

from analysis.decode import decode
from analysis.errors import ServiceError
from analysis.exif import orientation
from analysis.limits import ImageLimits
from bench.inputs.corpus import bodies, images
from bench.inputs.mutations import KINDS
from service.http.body import read_images

LIMITS = ImageLimits(max_bytes=1 << 20, max_pixels=1_000_000)
BODY_LIMITS = {"max_bytes": 1 << 16, "max_images": 8}
_loop = asyncio.new_event_loop()


def image(data: bytes) -> None:
    """Decode a file."""
    try:
        pixels = decode(data, LIMITS)
    except ServiceError:
        return
    if pixels.ndim != 3 or pixels.size > 3 * LIMITS.max_pixels:
        raise AssertionError(pixels.shape)


def exif(data: bytes) -> None:
    """Find the orientation in an EXIF block."""
    if orientation(data) not in range(1, 9):
        raise AssertionError


def body(data: bytes) -> None:
    """Read the images of a request; the first byte selects its content type."""
    if not data:
        return
    kind = KINDS[data[0] % len(KINDS)]
    try:
        _loop.run_until_complete(
            read_images(_request(kind, data[1:]), lambda size: None, **BODY_LIMITS)
        )
    except ServiceError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {"image": image, "exif": exif, "body": body}


def seeds(target: str) -> list[bytes]:
    """The inputs that a target starts from."""
    if target == "body":
        return [bytes([KINDS.index(b.kind)]) + b.content for b in bodies()]
    if target == "exif":
        return [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", b"MM\0*\0\0\0\x08"]
    return list(images().values())


def _request(kind: str, content: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    headers = [(b"content-type", kind.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)
