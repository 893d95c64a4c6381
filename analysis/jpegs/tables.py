"""The tables of a JPEG file (ITU-T T.81, B.2.4) in the form in which encoders write them."""

from collections.abc import Iterator

QUANTIZATION_IDS = range(4)
# Class and id: two tables for the first coefficient of a block, DC, and two for the others, AC.
HUFFMAN_IDS = (0x00, 0x01, 0x10, 0x11)
# Bits of the largest difference of two DC coefficients of 8-bit samples.
MAX_DC_BITS = 11
MAX_CODE_BITS = 16


def quantization_ids(body: bytes) -> Iterator[int]:
    """Yield the id of each quantization table of a segment.

    Raises:
        ValueError: a table has values of 16 bits, a zero, a wrong id or a wrong length.
    """
    for at in range(0, len(body), 65):
        table = body[at : at + 65]
        if table[0] not in QUANTIZATION_IDS or len(table) != 65 or 0 in table[1:]:
            raise ValueError
        yield table[0]


def huffman_ids(body: bytes) -> Iterator[int]:
    """Yield the class and id of each Huffman table of a segment.

    Raises:
        ValueError: a table is not a code, or has a wrong class, id, length or difference.
    """
    while body:
        kind, counts = body[0], body[1 : 1 + MAX_CODE_BITS]
        end = 1 + MAX_CODE_BITS + sum(counts)
        values = body[1 + MAX_CODE_BITS : end]
        if kind not in HUFFMAN_IDS or not _is_code(counts) or end > len(body):
            raise ValueError
        if kind < 0x10 and max(values) > MAX_DC_BITS:
            raise ValueError
        yield kind
        body = body[end:]


def _is_code(counts: bytes) -> bool:
    """Return whether codes of each length in bits exist; the code of ones only is reserved."""
    space = 1 << MAX_CODE_BITS
    return 0 < sum(count * (space >> bits) for bits, count in enumerate(counts, 1)) < space
