"""What counts against the pixel limit."""

import pytest
from PIL import Image

from analysis.decode import open_picture
from analysis.errors import TooLargeError
from analysis.limits import ImageLimits
from bench.inputs import corpus
from bench.inputs.saving import saved
from tests.analysis.pictures import at

MEGAPIXEL = ImageLimits(max_bytes=4 << 20, max_pixels=1_000_000)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 1000), (1000, 1000)),
        ((1001, 1000), (501, 500)),
        ((2000, 2000), (1000, 1000)),
        ((4000, 4000), (1000, 1000)),
        ((16_000, 1000), (4000, 250)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
@pytest.mark.parametrize("side", [None, 4000])
def test_a_baseline_jpeg_is_decoded_at_the_largest_scale_within_the_limit(
    size: tuple[int, int], expected: tuple[int, int], mode: str, side: int | None
) -> None:
    """A face that needs more pixels than the limit allows gets as many as there are."""
    needed = at(side) if side else None
    picture = open_picture(saved(Image.new(mode, size), "JPEG"), MEGAPIXEL, needed)
    assert (picture.width, picture.height) == size
    assert picture.pixels.shape[1::-1] == expected


def test_a_baseline_jpeg_has_at_most_sixteen_times_the_limit() -> None:
    with pytest.raises(TooLargeError, match="16,000 x 1,001 pixels; the limit is 16,000,000 "):
        open_picture(saved(Image.new("L", (16_000, 1001)), "JPEG"), MEGAPIXEL, at(640))


@pytest.mark.parametrize("scans", [{"progressive": True}, {"several": True}])
def test_a_jpeg_counts_in_full_if_its_decoder_keeps_all_coefficients(
    scans: dict[str, bool],
) -> None:
    data = saved(Image.new("RGB", (1001, 1000)), "JPEG", progressive="progressive" in scans)
    if "several" in scans:
        data = twice(data)
    with pytest.raises(TooLargeError, match="1,001 x 1,000 pixels; the limit is 1,000,000 pixels"):
        open_picture(data, MEGAPIXEL, at(100))


def twice(data: bytes) -> bytes:
    """A baseline JPEG with a second scan."""
    return data[:-2] + data[data.index(b"\xff\xda") :]


@pytest.mark.parametrize(
    "name", [each for each in corpus.images() if each.partition(",")[0] != "JPEG"]
)
def test_other_formats_count_in_full(name: str) -> None:
    data, area = corpus.images()[name], corpus.WIDTH * corpus.HEIGHT
    open_picture(data, ImageLimits(len(data), 64 * 64), at(10))
    with pytest.raises(TooLargeError, match="pixels; the limit is 383"):
        open_picture(data, ImageLimits(len(data), area - 1), at(10))
