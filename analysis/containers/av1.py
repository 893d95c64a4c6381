"""The sizes of the pictures in AV1 data (AV1 specification, 5.3 to 5.5).

A decoder allocates memory for the size in the sequence header, whatever the container claims.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from analysis.errors import TooLargeError

# The most open bitstream units (OBUs) per file. A picture has a few, or one per tile.
MAX_UNITS = 1 << 14
SEQUENCE_HEADER = 1
# More bytes than a sequence header needs up to its width and height.
ENOUGH = 512
# The highest level without a tier (5.5.1).
LAST_WITHOUT_TIER = 7
# The most zeros before a number (4.10.3).
MAX_ZEROS = 32


def sizes(pictures: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield width and height of each sequence header of coded pictures.

    Raises:
        TooLargeError: more units than any image needs.
        EOFError: a sequence header is cut off.
    """
    for number, (kind, unit) in enumerate(chain.from_iterable(map(_units, pictures))):
        if number == MAX_UNITS:
            raise TooLargeError(f"the AVIF image has more than {MAX_UNITS:,} parts; save it again")
        if kind == SEQUENCE_HEADER:
            yield _size(_Bits(unit))


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the first bytes of each unit, up to bytes that are not a unit (5.3)."""
    at = 0
    while at < len(data) and not data[at] & 0x80:
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size, at = _leb128(data, at)
        yield head >> 3 & 15, data[at : at + min(size, ENOUGH)]
        at += size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits per byte, least significant first; return it and its end."""
    value = 0
    for number, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return value, at + number + 1
    raise EOFError


class _Bits:
    """Bits of a header, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._bits, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._bits >> self._left & (1 << count) - 1


def _size(bits: _Bits) -> tuple[int, int]:
    """Read a sequence header up to the largest width and height (5.5.1)."""
    bits.read(4)  # profile, still picture
    if bits.read(1):  # the short header of a still picture
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width, height = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width) + 1, bits.read(height) + 1


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = _decoder_model(bits) if bits.read(1) else 0
    displayed = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > LAST_WITHOUT_TIER:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if displayed and bits.read(1):
            bits.read(4)


def _decoder_model(bits: _Bits) -> int:
    """Read timing and the decoder model (5.5.3, 5.5.4); return the bits per delay, or 0."""
    bits.read(64)
    if bits.read(1):  # pictures at equal intervals: a number after as many zeros as it has bits
        zeros = next((n for n in range(MAX_ZEROS) if bits.read(1)), MAX_ZEROS)
        bits.read(zeros % MAX_ZEROS)
    if not bits.read(1):
        return 0
    delay_bits = bits.read(5) + 1
    bits.read(42)
    return delay_bits
