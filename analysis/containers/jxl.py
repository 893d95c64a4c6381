"""The codestream of a JPEG XL file, and the size that its header claims (ISO 18181-1, annex D).

The decoder allocates all pixels when it opens a file, so the size must be known before. Metadata
are left out: they may be compressed, and inflate without a bound. The codestream has its own
orientation, which the decoder applies.
"""

from collections.abc import Iterator

from analysis.containers.boxes import boxes
from analysis.containers.container import Container
from analysis.errors import TooLargeError

NAKED = b"\xff\x0a"
# Alpha, depth and the like; each takes as much memory as a colour.
MAX_EXTRA_CHANNELS = 4
# The bit that marks the last part, in the number before it.
LAST_PART = 0x80
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# The forms of a number: a constant and the bits that are added to it.
Forms = tuple[tuple[int, int], ...]
DIMENSION: Forms = ((1, 9), (1, 13), (1, 18), (1, 30))
EXTRA_CHANNELS: Forms = ((0, 0), (1, 0), (2, 4), (1, 12))
PREVIEW: Forms = ((1, 6), (65, 8), (321, 10), (1345, 12))


def strip(data: bytes) -> Container:
    """Keep the codestream of a JPEG XL file.

    Raises:
        TooLargeError: more boxes or channels than any image needs.
        EOFError: the file ends before its image.
    """
    stream = data if data.startswith(NAKED) else b"".join(_codestream(data))
    if not stream.startswith(NAKED):
        raise EOFError
    header = _Bits(stream[2:66])
    size = header.size()
    if header.extra_channels() > MAX_EXTRA_CHANNELS:
        raise TooLargeError(
            f"the JPEG XL image has more than {MAX_EXTRA_CHANNELS} extra channels; save it again"
        )
    return Container("JPEG XL", stream, size=size)


def _codestream(data: bytes) -> Iterator[bytes]:
    """Yield the parts of the codestream, which a container may split over several boxes."""
    for box in boxes(data):
        if box.kind not in {b"jxlc", b"jxlp"}:
            continue
        if box.end > len(data):
            raise EOFError
        if box.kind == b"jxlc":
            yield data[box.begin : box.end]
            return
        yield data[box.begin + 4 : box.end]
        if data[box.begin] & LAST_PART:
            return
    raise EOFError


class _Bits:
    """Bits of a header, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._bits, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise EOFError
        value = self._bits & (1 << count) - 1
        self._bits >>= count
        self._left -= count
        return value

    def number(self, forms: Forms) -> int:
        base, count = forms[self.read(2)]
        return base + self.read(count)

    def size(self) -> tuple[int, int]:
        """Read a header of a size (D.3); return width and height."""
        small = self.read(1)
        height = 8 * (1 + self.read(5)) if small else self.number(DIMENSION)
        ratio = self.read(3)
        if ratio:
            over, under = RATIOS[ratio - 1]
            return height * over // under, height
        return (8 * (1 + self.read(5)) if small else self.number(DIMENSION)), height

    def extra_channels(self) -> int:
        """Read the metadata (D.4) up to the number of extra channels."""
        if self.read(1):  # all values are the usual ones
            return 0
        if self.read(1):
            self._skip_extra_fields()
        if self.read(1):  # samples are floats
            self.number(((32, 0), (16, 0), (24, 0), (1, 6)))
            self.read(4)
        else:
            self.number(((8, 0), (10, 0), (12, 0), (1, 6)))
        self.read(1)
        return self.number(EXTRA_CHANNELS)

    def _skip_extra_fields(self) -> None:
        self.read(3)  # orientation
        if self.read(1):  # intrinsic size
            self.size()
        if self.read(1):  # preview, whose forms of a size are its own
            small = self.read(1)
            forms: Forms = ((16, 0), (32, 0), (1, 5), (33, 9)) if small else PREVIEW
            self.number(forms)
            if not self.read(3):
                self.number(forms)
        if self.read(1):  # animation
            self.number(((100, 0), (1000, 0), (1, 10), (1, 30)))
            self.number(((1, 0), (1001, 0), (1, 8), (1, 10)))
            self.number(((0, 0), (0, 3), (0, 16), (0, 32)))
            self.read(1)
