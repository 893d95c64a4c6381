"""The page of a TIFF file (TIFF 6.0, section 2; BigTIFF) that is decoded, and the tags it needs.

Pillow reads the values of all tags in Python, and libtiff reads a strip each time that a
table of strips lists it. The tables are therefore checked here, and the chosen page gets a new
directory at the end of the file, with only the tags that its pixels need. Their values stay in
place.
"""

import struct
from collections.abc import Iterator
from operator import add
from typing import NamedTuple

from analysis.containers.container import Container
from analysis.errors import CorruptImageError, TooLargeError
from analysis.exif import ORIENTATION, TURNS, UPRIGHT
from analysis.formats import RAW, refusal

MAX_PAGES = 64
MAX_TAGS = 4096
# Places of strips or tiles, or colours of a palette.
MAX_VALUES = 1 << 16
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS = 254, 256, 257, 258, 259, 262
PLANES, SAMPLE_FORMAT = 284, 339
ROWS_PER_STRIP, TILE_WIDTH, TILE_HEIGHT = 278, 322, 323
# Offsets and sizes of strips, and of tiles.
PARTS = ((273, 279), (324, 325))
SUB_DIRECTORIES, DNG_VERSION = 330, 50706
# Samples, compression, strips, tiles, predictor, palette, ink, tables of JPEG, and YCbCr.
SAMPLES = (*range(256, 260), 262, 266, 277, 284, 292, 293, 317, 320, 332, 338, 339)
NEEDED = frozenset([*SAMPLES, 273, 278, 279, *range(322, 326), 347, *range(529, 533)])
# A thumbnail, or a mask: bits of SUBFILE.
NOT_A_PAGE = 0b101
SENSOR_COLOURS = (32803, 34892)
UNCOMPRESSED, JPEG = 1, 7
SEPARATE = 2
UNSIGNED, SIGNED = 1, 2
UNUSUAL = "a TIFF image with unusual samples; save it with 8 bits each"
# None, CCITT, LZW, JPEG, Deflate (two numbers), PackBits and Zstandard.
COMPRESSIONS = (UNCOMPRESSED, 2, 3, 4, 5, JPEG, 8, 32946, 32773, 50000)
SCAN = b"\xff\xda"
# By type of value: its size in bytes, and for whole numbers its letter in `struct`.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}
LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


class _Entry(NamedTuple):
    """A tag: the type, number and place of its values, and the bytes of the entry."""

    kind: int
    length: int
    at: int
    raw: bytes


Directory = dict[int, _Entry]


def strip(data: bytes) -> Container:
    """Keep the first page of full size, with only the tags that its pixels need.

    Raises:
        UnsupportedMediaTypeError: a camera RAW file, or a compression or samples that are not read.
        TooLargeError: more tags, strips or tiles than any image needs.
        CorruptImageError: the strips or tiles overlap.
        EOFError, struct.error: the file is damaged or incomplete.
    """
    file = _File(data)
    page = _page(file)
    compression = file.number(page, COMPRESSION, UNCOMPRESSED)
    if compression not in COMPRESSIONS:
        raise refusal(f"a TIFF image with compression {compression}; save it with LZW or Deflate")
    _check_samples(file, page, compression)
    _check_parts(file, page, compression)
    width, height = file.number(page, WIDTH, 0), file.number(page, HEIGHT, 0)
    rows = min(file.number(page, ROWS_PER_STRIP, height), height)
    across, down = file.number(page, TILE_WIDTH, width), file.number(page, TILE_HEIGHT, rows)
    if not min(width, height, across, down):
        raise EOFError
    scans = data.count(SCAN) if compression == JPEG else 1
    kept = file.with_directory({tag: entry for tag, entry in page.items() if tag in NEEDED})
    turn = file.number(page, ORIENTATION, UPRIGHT)
    return Container(
        "TIFF",
        kept,
        orientation=turn if turn in TURNS else UPRIGHT,
        size=(max(width, across), max(height, down)),  # a tile may be larger than the image
        scans=-(-scans * across * down // (width * height)),
    )


def _page(file: "_File") -> Directory:
    """Return the first page that is neither a thumbnail nor a mask, or else the first."""
    first: Directory | None = None
    for page in file.pages():
        children = [] if first else file.children(page)
        if any(file.is_raw(each) for each in (page, *children)):
            raise refusal(RAW)
        if not file.number(page, SUBFILE, 0) & NOT_A_PAGE:
            return page
        first = first or page
    if first is None:
        raise EOFError
    return first


def _check_parts(file: "_File", page: Directory, compression: int) -> None:
    """Check that strips or tiles lie in the file, and that none is read many times."""
    tables = [pair for pair in PARTS if pair[0] in page]
    for offsets, sizes in ([file.numbers(page, tag) for tag in pair] for pair in tables):
        if not offsets or len(offsets) != len(sizes) or file.end < max(map(add, offsets, sizes)):
            raise EOFError
        if compression != UNCOMPRESSED and file.end < sum(sizes):
            raise CorruptImageError("the parts of the TIFF image overlap; save it again")
    if not tables:
        raise EOFError


def _check_samples(file: "_File", page: Directory, compression: int) -> None:
    """Reject samples that Pillow decodes to wrong pixels."""
    bits = set(file.numbers(page, BITS)) or {1}
    kinds = set(file.numbers(page, SAMPLE_FORMAT)) or {UNSIGNED}
    plain, wide = compression == UNCOMPRESSED, 32 in bits
    planes = file.number(page, PLANES, 1) == SEPARATE
    if (
        not bits <= {1, 2, 4, 8, 16, 32}  # 12 bits would be dark
        or (SIGNED in kinds and not wide)  # taken for unsigned
        or (UNSIGNED in kinds and wide)  # taken for signed
        or (wide and not plain and file.big_endian)  # its bytes are swapped once too often
        or (planes and plain and 16 in bits)  # its bytes are taken for samples
    ):
        raise refusal(UNUSUAL)


def _check_values(tag: int, entry: _Entry) -> None:
    if entry.length > MAX_VALUES:
        raise TooLargeError(
            f"tag {tag} of the TIFF image has more than {MAX_VALUES:,} values; save it again"
        )


class _File:
    """Directories and values of a TIFF or BigTIFF, in the byte order of the file."""

    def __init__(self, data: bytes) -> None:
        self._data, self.end = data, len(data)
        self.big_endian, big = data[:2] == b"MM", b"+" in data[2:4]
        self._order = ">" if self.big_endian else "<"
        self._offset, self._count, self._head = ("Q", "Q", "HHQ") if big else ("I", "H", "HHI")
        self._word = 8 if big else 4

    def _read(self, letters: str, at: int) -> tuple[int, ...]:
        if at > self.end:  # struct's limit is lower than BigTIFF's
            raise EOFError
        return struct.unpack_from(self._order + letters, self._data, at)

    def pages(self) -> Iterator[Directory]:
        """Yield the directories in the chain of the file; `children` has those of a tag."""
        (at,) = self._read(self._offset, self._word)
        for _ in range(MAX_PAGES):
            if not at:
                return
            page, end = self._directory(at)
            yield page
            (at,) = self._read(self._offset, end)

    def children(self, page: Directory) -> Iterator[Directory]:
        for at in self.numbers(page, SUB_DIRECTORIES)[:MAX_PAGES]:
            yield self._directory(at)[0]

    def _directory(self, at: int) -> tuple[Directory, int]:
        """Return the tags of a directory, the first of each number, and the end of the tags."""
        (count,) = self._read(self._count, at)
        if count > MAX_TAGS:
            raise TooLargeError(f"the TIFF image has more than {MAX_TAGS:,} tags; save it again")
        found: Directory = {}
        at += struct.calcsize("<" + self._count)
        head = struct.calcsize("<" + self._head)
        for _ in range(count):
            tag, kind, values = self._read(self._head, at)
            inline = values * SIZES.get(kind, 1) <= self._word
            place = at + head if inline else self._read(self._offset, at + head)[0]
            end = at + head + self._word
            found.setdefault(tag, _Entry(kind, values, place, self._data[at:end]))
            at = end
        return found, at

    def numbers(self, page: Directory, tag: int) -> tuple[int, ...]:
        """Return the values of a tag; none if it is missing or holds no whole numbers."""
        entry = page.get(tag)
        if entry is None or entry.kind not in LETTERS:
            return ()
        _check_values(tag, entry)
        return self._read(f"{entry.length}{LETTERS[entry.kind]}", entry.at)

    def number(self, page: Directory, tag: int, default: int) -> int:
        return next(iter(self.numbers(page, tag)), default)

    def is_raw(self, page: Directory) -> bool:
        return DNG_VERSION in page or self.number(page, COLOURS, 0) in SENSOR_COLOURS

    def _pack(self, letter: str, value: int) -> bytes:
        return struct.pack(self._order + letter, value)

    def with_directory(self, page: Directory) -> bytes:
        """Return the file with one directory, at its end."""
        for tag, entry in page.items():
            _check_values(tag, entry)
            if entry.at + entry.length * SIZES.get(entry.kind, 1) > self.end:
                raise EOFError
        padding = b"\0" * (self.end % 2)
        return b"".join(
            (
                self._data[: self._word],
                self._pack(self._offset, self.end + len(padding)),
                self._data[2 * self._word :],
                padding,
                self._pack(self._count, len(page)),
                *(entry.raw for _, entry in sorted(page.items())),
                self._pack(self._offset, 0),
            )
        )
