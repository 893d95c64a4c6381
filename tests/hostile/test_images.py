"""Each kind of file, valid or not, has one defined result, which docs/robustness.md lists."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.decode import KEPT_PIXELS, ImageLimits, decode, open_picture
from analysis.errors import CorruptImageError, ServiceError, TooLargeError
from bench.inputs import bombs, corpus
from bench.inputs.bombs import chunk

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "robustness.md"
LIMITS = ImageLimits(max_bytes=32 << 20, max_pixels=2_000_000)
GREY = np.asarray(Image.fromarray(corpus.pixels()).convert("L").convert("RGB"))
JPEG, PNG = corpus.images()["JPEG"], corpus.images()["PNG"]


def near(name: str, data: bytes) -> bool:
    expected = GREY if "grey" in name else corpus.pixels()
    found = decode(data, LIMITS)
    return found.shape == expected.shape and np.abs(found.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("name", corpus.images())
def test_sound_images_of_every_kind_show_the_same(name: str) -> None:
    assert near(name, corpus.images()[name])


def outcome(data: bytes) -> str:
    try:
        decode(data, LIMITS)
    except ServiceError as error:
        return error.code
    return "ok"


@pytest.mark.parametrize("name", bombs.bombs())
def test_bombs_and_other_files_are_refused(name: str) -> None:
    data, code = bombs.bombs()[name]
    assert outcome(data) == code


@pytest.mark.parametrize("name", corpus.images())
def test_truncated_images_are_corrupt(name: str) -> None:
    data = corpus.images()[name]
    end = data.index(b"\xff\xd9") if "MPO" in name else len(data)
    for cut in (*range(12, end - 12, 29), end - 1):
        assert outcome(data[:cut]) in {"corrupt_image", "unsupported_media"}, cut


def test_data_after_or_inside_an_image_is_ignored() -> None:
    """A polyglot file is read as the image of its first bytes."""
    comment = b"<script>alert(1)</script>"
    page = JPEG[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + JPEG[2:]
    archive = b"PK\x03\x04" + bytes(64) + b"PK\x05\x06" + bytes(18)
    assert np.array_equal(decode(page + archive, LIMITS), decode(JPEG, LIMITS))
    hidden = PNG[:33] + chunk(b"teXt", comment) + PNG[33:] + archive
    assert np.array_equal(decode(hidden, LIMITS), decode(PNG, LIMITS))


@pytest.mark.parametrize("size", [(2000, 2), (2, 2000), (30_000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_images_much_longer_than_wide(size: tuple[int, int], kind: str) -> None:
    picture = open_picture(corpus.saved(Image.new("RGB", size), kind), LIMITS, 640)
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
    data = corpus.saved(Image.new("L", (3000, 2000), 77), "PNG")
    picture = open_picture(data, limits, 640)
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
    with pytest.raises(CorruptImageError, match="ends before its end"):
        decode(JPEG[:-2], LIMITS)
    damaged = bytearray(PNG)
    damaged[60] ^= 0xFF
    with pytest.raises(CorruptImageError, match="cannot be decoded"):
        decode(bytes(damaged), LIMITS)


PEAK = """
import resource
from bench.inputs.bombs import bombs
from analysis.errors import ServiceError
from analysis.decode import ImageLimits, decode
files, limits = bombs(), ImageLimits(32 << 20, 2_000_000)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
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


def test_the_document_names_every_result() -> None:
    text = DOCUMENT.read_text()
    for name, bomb in bombs.bombs().items():
        assert f"| {name} | {'its pixels' if bomb.code == 'ok' else f'`{bomb.code}`'} |" in text
    for name in corpus.images():
        assert f"| {name} | " in text
