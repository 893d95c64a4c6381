"""No file costs more than a photograph does, and none has another result than it should."""

import subprocess
import sys
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.decode import KEPT_PIXELS, decode, open_picture
from analysis.errors import (
    CorruptImageError,
    ServiceError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from analysis.limits import ImageLimits
from bench.inputs import bombs, corpus
from bench.inputs.bombs import chunk
from bench.inputs.photos import box
from bench.inputs.saving import saved
from tests.analysis.pictures import at
from tests.cases import Case

ROOT = Path(__file__).parents[2]
LIMITS = ImageLimits(max_bytes=32 << 20, max_pixels=2_000_000)
JPEG, PNG = corpus.images()["JPEG"], corpus.images()["PNG"]


HAPPENS = {
    "ok": "its pixels",
    "too_large": "413 `too_large`",
    "unsupported_media": "415 `unsupported_media`",
    "corrupt_image": "422 `corrupt_image`",
}
BOMBS = [
    Case(name, "its pixels" if code == "ok" else "an error, at once", HAPPENS[code])
    for name, (_, code) in bombs.bombs().items()
]


def outcome(data: bytes) -> str:
    """What happens to a file, as the table has it."""
    try:
        decode(data, LIMITS)
    except ServiceError as error:
        return f"{error.status} `{error.code}`"
    return "its pixels"


@pytest.mark.parametrize("case", BOMBS, ids=itemgetter(0))
def test_bombs_are_rejected_before_they_are_decoded(case: Case) -> None:
    assert outcome(bombs.bombs()[case.input].data) == case.happens


@pytest.mark.parametrize("name", corpus.images())
def test_a_truncated_image_is_corrupt_or_lacks_no_pixel(name: str) -> None:
    """The pixels of the first picture may end before the file does."""
    data = corpus.images()[name]
    whole = decode(data, LIMITS)
    for cut in (*range(12, len(data), 29), len(data) - 1):
        try:
            assert np.array_equal(decode(data[:cut], LIMITS), whole), cut
        except (CorruptImageError, UnsupportedMediaTypeError):
            assert cut < len(data)


@pytest.mark.parametrize("kind", [name for name in corpus.images() if "," not in name])
def test_an_image_without_its_last_bytes_is_corrupt(kind: str) -> None:
    with pytest.raises(CorruptImageError):
        decode(corpus.images()[kind][:-3], LIMITS)


def test_data_after_or_inside_an_image_is_ignored() -> None:
    """A polyglot file is read as the image of its first bytes."""
    comment = b"<script>alert(1)</script>"
    page = JPEG[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + JPEG[2:]
    archive = b"PK\x03\x04" + bytes(64) + b"PK\x05\x06" + bytes(18)
    assert np.array_equal(decode(page + archive, LIMITS), decode(JPEG, LIMITS))
    hidden = PNG[:33] + chunk(b"teXt", comment) + PNG[33:] + archive
    assert np.array_equal(decode(hidden, LIMITS), decode(PNG, LIMITS))


@pytest.mark.parametrize("name", corpus.images())
def test_data_behind_an_image_are_ignored(name: str) -> None:
    """Phones append films and notes to photographs."""
    data = corpus.images()[name]
    for tail in (b"SEFH\0\0\0\0SEFT", b"\xff" * 64, box(b"mpvd", bytes(9))):
        assert np.array_equal(decode(data + tail, LIMITS), decode(data, LIMITS))


@pytest.mark.parametrize("size", [(2000, 2), (2, 2000), (30_000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_images_much_longer_than_wide(size: tuple[int, int], kind: str) -> None:
    picture = open_picture(saved(Image.new("RGB", size), kind), LIMITS, at(640))
    assert (picture.width, picture.height) == size
    assert min(picture.pixels.shape[:2]) >= 1


def test_damaged_metadata_harm_no_pixel() -> None:
    exif = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    mpf = b"\xff\xe2\x00\x08MPF\0\xff\xff"
    data = JPEG[:2] + segment + mpf + JPEG[2:]
    assert np.array_equal(decode(data, LIMITS), decode(JPEG, LIMITS))


def test_a_large_image_is_kept_small_while_it_waits() -> None:
    limits = ImageLimits(max_bytes=1 << 20, max_pixels=64_000_000)
    data = saved(Image.new("L", (3000, 2000), 77), "PNG")
    picture = open_picture(data, limits, at(640))
    assert (picture.width, picture.height) == (3000, 2000)
    assert picture.pixels.shape == (500, 750, 3)
    assert (picture.pixels == 77).all()
    assert picture.pixels.size < 3 * KEPT_PIXELS


def test_scans_are_counted_against_the_size() -> None:
    limits = ImageLimits(max_bytes=1 << 20, max_pixels=4_000_000)
    decode(bombs.many_scans(1000, 50), limits)
    with pytest.raises(TooLargeError, match=r"159 scans; at its size 64"):
        decode(bombs.many_scans(1000, 150), limits)


def test_errors_distinguish_truncated_from_damaged_images() -> None:
    with pytest.raises(CorruptImageError, match="is cut off; send the whole file"):
        decode(JPEG[:-2], LIMITS)
    damaged = bytearray(PNG)
    damaged[60] ^= 0xFF
    with pytest.raises(CorruptImageError, match="cannot be decoded"):
        decode(bytes(damaged), LIMITS)


PEAK = """
from pathlib import Path
from bench.inputs.bombs import bombs
from analysis.errors import ServiceError
from analysis.decode import decode
from analysis.limits import ImageLimits
files, limits = bombs(), ImageLimits(32 << 20, 2_000_000)
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
Path("/proc/self/clear_refs").write_text("5")  # forget the memory that made the files
before = peak()
for data, _ in files.values():
    try:
        decode(data, limits)
    except ServiceError:
        pass
print((peak() - before) // 1024)
"""


def test_bombs_cost_no_memory() -> None:
    """At most the size of the file: nothing is decoded before the file is rejected."""
    ended = subprocess.run(
        [sys.executable, "-c", PEAK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    largest = max(len(bomb.data) for bomb in bombs.bombs().values()) >> 20
    assert int(ended.stdout) <= largest + 4


def test_the_blocks_of_a_gif_are_counted_over_all_chains() -> None:
    data = corpus.images()["GIF"]
    comment = b"\x21\xfe" + b"\1x" * 600_000 + b"\0"
    once, twice = (
        data[: bombs.GIF_PICTURE] + comment * times + data[bombs.GIF_PICTURE :] for times in (1, 2)
    )
    assert np.array_equal(decode(once, LIMITS), decode(data, LIMITS))
    with pytest.raises(TooLargeError, match="1,048,576 blocks"):
        decode(twice, LIMITS)
