"""Selects the JPEGs that a GPU may decode: plain ones.

NVIDIA's hardware decodes baseline JPEGs of the samplings below (nvJPEG's documentation, "Hardware
Acceleration"; nvImageCodec, `extensions/nvjpeg/hw_decoder.cpp`). Decoders give different results
for unusual JPEGs: colours without YCbCr, missing tables or restart markers, bytes outside all
segments.
"""

import struct

from analysis.jpegs.header import Header

SCAN = 0xDA


def is_plain(data: bytes) -> bool:
    """Return whether a JPEG from `analysis.containers.jpeg` is plain.

    Plain is a sequential frame of 8-bit samples with Huffman codes, in grey or YCbCr, with all of
    its tables, and with one interleaved scan that ends the file and has all restart markers.
    """
    try:
        _check(data)
    except (ValueError, struct.error, IndexError):
        return False
    return True


def _check(data: bytes) -> None:
    header, at = Header(), 2
    while True:
        prefix, marker, length = struct.unpack_from(">BBH", data, at)
        if prefix != 0xFF:
            raise ValueError
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        if marker == SCAN:
            header.check_scan(body)
            header.check_samples(data, at)
            return
        header.add(marker, body)
