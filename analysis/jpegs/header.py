"""The segments of a JPEG file up to its scan, checked: only those of plain JPEGs pass."""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from analysis.jpegs.tables import huffman_ids, quantization_ids

# Sequential frames with Huffman codes: baseline, and extended with 8 bits per sample.
FRAMES = (0xC0, 0xC1)
QUANTIZATION, HUFFMAN, RESTART_INTERVAL, JFIF, ADOBE = 0xDB, 0xC4, 0xDD, 0xE0, 0xEE
RESTARTS, END = [bytes([each]) for each in range(0xD0, 0xD8)], b"\xd9"
# Horizontal and vertical sampling of Y where Cb and Cr have 1 x 1: 4:4:4, 4:2:2, 4:2:0, 4:4:0.
SAMPLINGS = (0x11, 0x21, 0x22, 0x12)
YCBCR_IDS = b"\x01\x02\x03"
# Spectral selection and approximation of a sequential scan.
WHOLE = b"\x00\x3f\x00"
YCBCR_IN_ADOBE = 1
MARKER_AMONG_SAMPLES = re.compile(rb"\xff([^\x00])")


@dataclass(slots=True)
class Header:
    """The segments before the scan; all methods raise ValueError, IndexError or struct.error.

    ids, quantization: a byte per component, its name and the id of its quantization table;
    units: minimum coded units of the frame; blocks: blocks in each of them; interval: units up to a
    restart marker, or 0; tables: markers and ids of the tables.
    """

    ids: bytes = b""
    quantization: bytes = b""
    units: int = 0
    blocks: int = 0
    interval: int = 0
    tables: set[tuple[int, int]] = field(default_factory=set)

    def add(self, marker: int, body: bytes) -> None:
        """Check a segment and keep what the scan needs."""
        if marker in FRAMES:
            self._add_frame(body)
        elif marker == QUANTIZATION:
            self._add_tables(marker, quantization_ids(body))
        elif marker == HUFFMAN:
            self._add_tables(marker, huffman_ids(body))
        elif marker == RESTART_INTERVAL:
            (self.interval,) = struct.unpack(">H", body)
        elif marker == ADOBE:
            _require(not body.startswith(b"Adobe") or body[11] == YCBCR_IN_ADOBE)
        else:
            _require(marker == JFIF)

    def _add_tables(self, marker: int, ids: Iterable[int]) -> None:
        new = [(marker, each) for each in ids]
        expected = len(self.tables) + len(new)
        self.tables.update(new)
        _require(bool(new) and len(self.tables) == expected)

    def _add_frame(self, body: bytes) -> None:
        bits, height, width, components = struct.unpack_from(">BHHB", body)
        _require(not self.ids and bits == 8 and width > 0 and height > 0)
        _require(len(body) == 6 + 3 * components)
        self.ids, samplings, self.quantization = body[6::3], body[7::3], body[8::3]
        if components == 1:
            _require(samplings == b"\x11")
        else:
            _require(self.ids == YCBCR_IDS)
            _require(samplings[0] in SAMPLINGS and samplings[1:] == b"\x11\x11")
        across, down = samplings[0] >> 4, samplings[0] & 15
        self.units = -(-width // (8 * across)) * -(-height // (8 * down))
        self.blocks = across * down + components - 1

    def check_scan(self, body: bytes) -> None:
        """Check that a scan has all components, in their order, and that their tables are there."""
        count = len(self.ids)
        _require(count > 0 and len(body) == 4 + 2 * count and body[0] == count)
        _require(body[1:-3:2] == self.ids and body.endswith(WHOLE))
        needed = {(QUANTIZATION, each) for each in self.quantization}
        for each in body[2:-3:2]:
            needed |= {(HUFFMAN, each >> 4), (HUFFMAN, 0x10 | each & 15)}
        _require(needed <= self.tables)

    def check_samples(self, data: bytes, at: int) -> None:
        """Check that the samples have their restart markers, in order, and then the end.

        A block has at least two bits: a code for its first coefficient, and one for its end.
        """
        _require(4 * (len(data) - at) > self.units * self.blocks)
        restarts = -(-self.units // self.interval) - 1 if self.interval else 0
        for number in range(restarts + 1):
            found = MARKER_AMONG_SAMPLES.search(data, at)
            if found is None or found[1] != (RESTARTS[number % 8] if number < restarts else END):
                raise ValueError
            at = found.end()
        _require(at == len(data))


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
