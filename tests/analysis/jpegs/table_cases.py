"""JPEGs with damaged, missing or unusual tables: none of them goes to the GPU."""

from collections.abc import Callable

from tests.analysis.jpegs.files import (
    changed,
    inserted,
    pillow,
    replaced,
    segment,
    segments,
    without,
)
from tests.analysis.jpegs.jpeg_case import CORRUPT, CPU, jpeg

FRAME, QUANTIZATION, HUFFMAN, SCAN = 0xC0, 0xDB, 0xC4, 0xDA


def without_all(marker: int) -> bytes:
    data = pillow()
    while any(each.marker == marker for each in segments(data)):
        data = without(data, marker)
    return data


def body_of(marker: int) -> bytes:
    found = segment(pillow(), marker)
    return pillow()[found.start + 4 : found.end]


def with_counts(*counts: int) -> bytes:
    """A JPEG whose first Huffman table has this number of codes with 1, 2, ... bits."""
    table = bytes([0, *counts]).ljust(17, b"\0") + bytes(range(sum(counts)))
    return replaced(pillow(), HUFFMAN, table)


TABLES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no quantization tables": (CORRUPT, lambda: without_all(QUANTIZATION)),
    "a quantization table is missing": (CORRUPT, lambda: without(pillow(), QUANTIZATION, 1)),
    "frame that names quantization table 3": (CORRUPT, lambda: changed(pillow(), FRAME, 12, 3)),
    "frame that names quantization table 200": (
        CORRUPT,
        lambda: changed(pillow(), FRAME, 12, 200),
    ),
    "quantization table 7": (CORRUPT, lambda: changed(pillow(), QUANTIZATION, 4, 7)),
    "quantization table of precision 1, cut off": (
        CORRUPT,
        lambda: changed(pillow(), QUANTIZATION, 4, 0x10),
    ),
    "quantization table of precision 9": (
        CORRUPT,
        lambda: changed(pillow(), QUANTIZATION, 4, 0x90),
    ),
    "quantization table, cut off": (
        CORRUPT,
        lambda: replaced(pillow(), QUANTIZATION, body_of(QUANTIZATION)[:-1]),
    ),
    "quantization table of 16 bits": (
        CPU,
        lambda: replaced(
            pillow(),
            QUANTIZATION,
            b"\x10" + b"".join(bytes([0, each]) for each in body_of(QUANTIZATION)[1:]),
        ),
    ),
    "quantization table of zeros": (
        CPU,
        lambda: replaced(pillow(), QUANTIZATION, bytes(65)),
    ),
    "empty segment of quantization tables": (
        CPU,
        lambda: inserted(pillow(), SCAN, b"\xff\xdb\0\2"),
    ),
    "a quantization table twice": (
        CPU,
        lambda: replaced(pillow(), QUANTIZATION, 2 * body_of(QUANTIZATION)),
    ),
    "no Huffman tables": (CPU, lambda: without_all(HUFFMAN)),
    "a Huffman table is missing": (CPU, lambda: without(pillow(), HUFFMAN, -1)),
    "scan that names Huffman tables 3": (CORRUPT, lambda: changed(pillow(), SCAN, 6, 0x33)),
    "scan that names Huffman tables 15": (CORRUPT, lambda: changed(pillow(), SCAN, 6, 0xFF)),
    "Huffman table of class 9": (CORRUPT, lambda: changed(pillow(), HUFFMAN, 4, 0x90)),
    "Huffman table with 255 codes of one bit": (
        CORRUPT,
        lambda: changed(pillow(), HUFFMAN, 5, 255),
    ),
    "Huffman table with three codes of one bit": (CORRUPT, lambda: with_counts(3)),
    "Huffman table with a code of ones only": (CORRUPT, lambda: with_counts(1, 2)),
    "Huffman table without codes": (CPU, with_counts),
    "Huffman table, cut off": (
        CORRUPT,
        lambda: replaced(pillow(), HUFFMAN, body_of(HUFFMAN)[:-1]),
    ),
    "Huffman table with bytes behind it": (
        CORRUPT,
        lambda: replaced(pillow(), HUFFMAN, body_of(HUFFMAN) + b"\0"),
    ),
    "Huffman table with differences of 255 bits": (
        CORRUPT,
        lambda: changed(pillow(), HUFFMAN, 4 + len(body_of(HUFFMAN)) - 1, 255),
    ),
}
TABLE_CASES = [
    jpeg(f"JPEG, {name}", "its pixels, or an error", happens, file)
    for name, (happens, file) in TABLES.items()
]
