"""Selects the JPEGs that a GPU may decode: plain ones.

NVIDIA's hardware decodes baseline JPEGs of the samplings below (nvJPEG's documentation, "Hardware
Acceleration"; nvImageCodec, `extensions/nvjpeg/hw_decoder.cpp`). Decoders give different results
for unusual JPEGs: colours without YCbCr, missing restart markers, bytes outside all segments.
"""

import re
import struct

# Sequential frames with Huffman codes: baseline, and extended with 8 bits per sample.
FRAMES = (0xC0, 0xC1)
# Segments before the frame's scan: tables, the restart interval, JFIF's and Adobe's.
FRAME_HEADERS = (0xC4, 0xDB, 0xDD, 0xE0, 0xEE)
RESTART_INTERVAL, ADOBE, SCAN = 0xDD, 0xEE, 0xDA
# The markers among the samples, and the one after them.
RESTARTS, END = bytes(range(0xD0, 0xD8)), b"\xd9"
# Horizontal and vertical sampling of Y where Cb and Cr have 1 x 1: 4:4:4, 4:2:2, 4:2:0, 4:4:0.
SAMPLINGS = (0x11, 0x21, 0x22, 0x12)
YCBCR_IDS = (1, 2, 3)
# Spectral selection and approximation of a sequential scan.
WHOLE = b"\x00\x3f\x00"
YCBCR_IN_ADOBE = 1
MARKER_AMONG_SAMPLES = re.compile(rb"\xff([^\x00])")


class _NotPlainError(Exception):
    """The JPEG is not plain."""


def is_plain(data: bytes) -> bool:
    """Return whether a JPEG from `analysis.containers.jpeg` is plain.

    Plain is a sequential frame of 8-bit samples with Huffman codes, in grey or YCbCr, with one
    interleaved scan that ends the file, and with all of its restart markers.
    """
    try:
        _check(data)
    except (_NotPlainError, struct.error, IndexError):
        return False
    return True


def _check(data: bytes) -> None:
    at, interval, blocks, components = 2, 0, 0, 0
    while True:
        prefix, marker, length = struct.unpack_from(">BBH", data, at)
        _require(prefix == 0xFF)
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        if marker == SCAN:
            _require(components > 0)
            _check_scan(body, components)
            _check_samples(data, at, -(-blocks // interval) - 1 if interval else 0)
            return
        if marker in FRAMES:
            _require(not components)
            components, blocks = _frame(body)
            continue
        _require(marker in FRAME_HEADERS)
        if marker == RESTART_INTERVAL:
            (interval,) = struct.unpack(">H", body)
        elif marker == ADOBE:
            _require(not body.startswith(b"Adobe") or body[11] == YCBCR_IN_ADOBE)


def _require(condition: bool) -> None:
    if not condition:
        raise _NotPlainError


def _frame(body: bytes) -> tuple[int, int]:
    """Return the components of a plain frame, and its minimum coded units."""
    bits, height, width, components = struct.unpack_from(">BHHB", body)
    specs = [tuple(body[start : start + 3]) for start in range(6, len(body), 3)]
    _require(bits == 8 and width > 0 and height > 0 and len(specs) == components)
    sampling = specs[0][1]
    if components == 1:
        _require(sampling == 0x11)
    else:
        _require(tuple(spec[0] for spec in specs) == YCBCR_IDS)
        _require(sampling in SAMPLINGS and specs[1][1] == specs[2][1] == 0x11)
    columns, rows = -(-width // (8 * (sampling >> 4))), -(-height // (8 * (sampling & 15)))
    return components, columns * rows


def _check_scan(body: bytes, components: int) -> None:
    """Check that a scan has all components, in their order."""
    ids = tuple(body[1 : 1 + 2 * components : 2])
    _require(body[0] == components and len(body) == 4 + 2 * components)
    _require(components == 1 or ids == YCBCR_IDS)
    _require(body.endswith(WHOLE))


def _check_samples(data: bytes, at: int, restarts: int) -> None:
    """Check that the samples have their restart markers, in order, and then the end."""
    markers = MARKER_AMONG_SAMPLES.findall(data, at)
    _require(len(markers) == restarts + 1 and data.endswith(b"\xff\xd9"))
    _require(b"".join(markers) == (RESTARTS * (restarts // 8 + 1))[:restarts] + END)
