"""JPEG files of every form, built from real ones, for the tests of who decodes them."""

import struct
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from bench.inputs.saving import saved
from engines.types import U8
from tests.photographs import HOPPER_FILE, read

SIZE = 321, 243
SCAN = 0xDA


class Segment(NamedTuple):
    marker: int
    start: int
    end: int


def photograph(width: int, height: int) -> U8:
    size = (width, height)
    return np.asarray(cv2.resize(read(HOPPER_FILE), size, interpolation=cv2.INTER_AREA), np.uint8)


@cache
def sampled(sampling: str, size: tuple[int, int] = SIZE, quality: int = 90) -> bytes:
    """A photograph with this chroma subsampling, such as `420`, or `Gray`."""
    pixels = photograph(*size)
    if sampling == "Gray":
        grey = np.ascontiguousarray(pixels[..., 1:2])
        return bytes(simplejpeg.encode_jpeg(grey, quality, "GRAY", "Gray"))
    return bytes(simplejpeg.encode_jpeg(pixels, quality, "RGB", sampling))


def pillow(mode: str = "RGB", **options: object) -> bytes:
    return saved(Image.fromarray(photograph(*SIZE)).convert(mode), "JPEG", **options)


def segments(data: bytes) -> list[Segment]:
    """The segments up to the first scan."""
    found, at = list[Segment](), 2
    while not found or found[-1].marker != SCAN:
        marker, length = struct.unpack_from(">xBH", data, at)
        found.append(Segment(marker, at, at + 2 + length))
        at += 2 + length
    return found


def segment(data: bytes, marker: int) -> Segment:
    return next(each for each in segments(data) if each.marker == marker)


def changed(data: bytes, marker: int, offset: int, value: int) -> bytes:
    """Set one byte, `offset` bytes behind the marker of a segment."""
    at = segment(data, marker).start + offset
    return data[:at] + bytes([value]) + data[at + 1 :]


def inserted(data: bytes, marker: int, new: bytes) -> bytes:
    """Put a segment in front of another."""
    at = segment(data, marker).start
    return data[:at] + new + data[at:]


def without(data: bytes, marker: int, number: int = 0) -> bytes:
    """Remove one of the segments with a marker."""
    found = [each for each in segments(data) if each.marker == marker][number]
    return data[: found.start] + data[found.end :]


def replaced(data: bytes, marker: int, body: bytes) -> bytes:
    """Put another body into a segment."""
    found = segment(data, marker)
    head = data[found.start : found.start + 2] + struct.pack(">H", 2 + len(body))
    return data[: found.start] + head + body + data[found.end :]


def behind_last_samples(data: bytes, new: bytes) -> bytes:
    return data[:-2] + new + data[-2:]


def restarts(data: bytes) -> list[int]:
    """Where the restart markers are."""
    first = segments(data)[-1].end
    return [
        at
        for at in range(first, len(data) - 1)
        if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7
    ]


@cache
def separate_scans() -> bytes:
    """A baseline JPEG with a separate scan for each colour."""
    planes = cv2.split(cv2.cvtColor(photograph(*SIZE), cv2.COLOR_RGB2YCrCb))
    greys = [saved(Image.fromarray(planes[index]), "JPEG", quality=90) for index in (0, 2, 1)]
    first = greys[0]
    frame = segment(first, 0xC0)
    components = b"".join(bytes([index, 0x11, 0]) for index in (1, 2, 3))
    head = first[frame.start + 4 : frame.start + 9] + b"\x03" + components
    parts = [first[: frame.start], b"\xff\xc0", struct.pack(">H", len(head) + 2), head]
    parts.append(first[frame.end : segments(first)[-1].start])
    for index, grey in enumerate(greys, 1):
        samples = grey[segments(grey)[-1].end : -2]
        parts += [b"\xff\xda\x00\x08\x01", bytes([index]), b"\x00\x00\x3f\x00", samples]
    return b"".join([*parts, b"\xff\xd9"])
