"""The segments of a JPEG file (ITU-T T.81, annex B) that its pixels need."""

import re
import struct
from typing import NamedTuple

from analysis.containers.container import Container
from analysis.errors import TooLargeError
from analysis.exif import UPRIGHT, orientation
from analysis.formats import refusal

# A photograph has tens of segments, or hundreds with a colour profile and an editing history.
MAX_SEGMENTS = 4096
# Progressive files have about ten.
MAX_SCANS = 1000
# Frames whose scans refine all pixels, so that a decoder keeps the coefficients of the whole image.
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
# Frames whose samples are coded without loss; the last one is that of JPEG-LS (ITU-T T.87).
LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF, 0xF7)
# All frames; the numbers between them are tables and extensions.
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
# Tables, frames and scans; JFIF's and Adobe's segments name the colours of the samples.
NEEDED = frozenset([*range(0xC0, 0xD0), 0xDB, 0xDD, 0xE0, 0xEE])
WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xDA)])
EXIF, SCAN, END = 0xE1, 0xDA, 0xD9
MARKER = re.compile(rb"\xff[^\x00\xff]")
MARKER_AMONG_SAMPLES = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class _Segment(NamedTuple):
    marker: int
    begin: int
    end: int


def strip(data: bytes) -> Container:
    """Keep the tables, frames and scans of a JPEG file up to its end.

    Raises:
        UnsupportedMediaTypeError: its samples are coded without loss or have more than 8 bits.
        TooLargeError: more segments or scans than any image needs.
        EOFError, struct.error, IndexError: the file ends before its image.
    """
    turn, at, kept, progressive = UPRIGHT, 2, [data[:2]], False
    for _ in range(MAX_SEGMENTS):
        marker, begin, at = _segment(data, at, MARKER)
        if marker in FRAMES:
            _check_samples(marker, data[begin + 4])
        if marker == SCAN:
            end, scans = _end_of_scans(data, at)
            streamed = not progressive and scans == 1
            image = b"".join([*kept, data[begin:end]])
            return Container("JPEG", image, turn, scans=scans, streamed=streamed)
        if marker in NEEDED:
            kept.append(data[begin:at])
            progressive |= marker in PROGRESSIVE
        elif marker == EXIF and data[begin + 4 : begin + 10] == b"Exif\0\0" and turn == UPRIGHT:
            turn = orientation(data[begin + 10 : at])
    raise TooLargeError(f"the JPEG image has more than {MAX_SEGMENTS:,} segments; save it again")


def _check_samples(marker: int, bits: int) -> None:
    if marker in LOSSLESS:
        raise refusal("a lossless JPEG or JPEG-LS image; save it as plain JPEG or as PNG")
    if bits > 8:
        raise refusal(f"a JPEG image with {bits} bits per sample; save it with 8")


def _segment(data: bytes, at: int, pattern: re.Pattern[bytes]) -> _Segment:
    """Find the first segment that begins at `at` or later."""
    found = pattern.search(data, at)
    if found is None:
        raise EOFError
    begin, marker = found.start(), data[found.start() + 1]
    if marker in WITHOUT_LENGTH:
        return _Segment(marker, begin, begin + 2)
    (length,) = struct.unpack_from(">H", data, begin + 2)
    return _Segment(marker, begin, begin + 2 + int(length))


def _end_of_scans(data: bytes, at: int) -> tuple[int, int]:
    """Find the end of the image and count its scans; the samples of the first begin at `at`."""
    scans = 1
    for _ in range(MAX_SEGMENTS):
        marker, _, at = _segment(data, at, MARKER_AMONG_SAMPLES)
        if marker == END:
            return at, scans
        scans += marker == SCAN
        if scans > MAX_SCANS:
            break
    raise TooLargeError(f"the JPEG image has more than {MAX_SCANS:,} scans; save it again")
