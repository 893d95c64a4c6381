"""A GPU decodes plain JPEGs only, and no answer of its decoder changes a status."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.decode import Picture, open_picture
from analysis.errors import ServiceError
from analysis.jpegs import offload
from analysis.jpegs.plain import is_plain
from analysis.limits import ImageLimits
from engines.errors import RunnerLostError
from engines.types import U8
from tests.analysis.jpegs.decoders import Answer, Recording
from tests.analysis.jpegs.files import photograph, sampled
from tests.analysis.jpegs.form_cases import FORM_CASES
from tests.analysis.jpegs.jpeg_case import CPU, GPU, JpegCase
from tests.analysis.jpegs.table_cases import TABLE_CASES
from tests.analysis.pictures import at
from tests.photographs import encode

LIMITS = ImageLimits(max_bytes=4 << 20, max_pixels=40_000_000)
SMALL_LIMITS = ImageLimits(max_bytes=4 << 20, max_pixels=70_000)
LEAST = round(offload.LEAST_PIXELS**0.5)
JPEG_CASES = [*FORM_CASES, *TABLE_CASES]
JPEGS = [each.case for each in JPEG_CASES]
FAULTS: dict[str, Answer] = {
    "declines": lambda pixels: None,
    "another size": lambda pixels: pixels[1:],
    "planes": lambda pixels: pixels.transpose(2, 0, 1),
    "grey": lambda pixels: pixels[..., 0],
    "another type": lambda pixels: pixels.astype(np.float32),
}


def outcome(
    data: bytes, gpu: Recording | None, limits: ImageLimits = LIMITS, side: int | None = None
) -> Picture | str:
    """The picture, or the status and code of the error."""
    try:
        return open_picture(data, limits, None if side is None else at(side), gpu)
    except ServiceError as error:
        return f"{error.status} `{error.code}`"


def same(one: Picture | str, other: Picture | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return one[1:] == other[1:] and np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize("given", JPEG_CASES, ids=lambda each: each.case.input)
def test_only_plain_jpegs_go_to_the_gpu(given: JpegCase) -> None:
    gpu, data = Recording(), given.file()
    found, alone = outcome(data, gpu), outcome(data, None)
    happens = given.case.happens
    assert gpu.calls == (happens == GPU)
    assert same(found, alone)
    if happens not in (GPU, CPU):
        assert found == happens
    elif "or an error" not in given.case.expected:
        assert isinstance(found, Picture)


@pytest.mark.parametrize(
    ("size", "limits", "happens"),
    [
        ((LEAST, LEAST), LIMITS, GPU),
        ((LEAST, LEAST - 1), LIMITS, CPU),
        ((5000, 5000), LIMITS, GPU),
        ((5000, 5001), LIMITS, CPU),
        ((280, 250), SMALL_LIMITS, GPU),
        ((281, 250), SMALL_LIMITS, CPU),
    ],
)
def test_the_size_also_decides(size: tuple[int, int], limits: ImageLimits, happens: str) -> None:
    """Beyond the limit of pixels, the CPU decodes the image at a part of its size."""
    gpu = Recording()
    found = outcome(encode(np.zeros((size[1], size[0], 3), np.uint8), "JPEG"), gpu, limits)
    assert isinstance(found, Picture)
    assert found[1:] == size
    assert gpu.calls == (happens == GPU)


def test_no_other_format_goes_to_the_gpu() -> None:
    gpu = Recording()
    for kind in ("PNG", "WEBP", "BMP", "GIF", "TIFF"):
        assert isinstance(outcome(encode(photograph(300, 200), kind), gpu), Picture)
    assert not gpu.calls


@pytest.mark.parametrize("fault", FAULTS)
def test_the_cpu_decodes_an_image_that_the_decoder_declines(fault: str) -> None:
    gpu = Recording(FAULTS[fault])
    assert same(outcome(sampled("420"), gpu), outcome(sampled("420"), None))
    assert gpu.calls == 1


def test_the_cpu_decodes_if_the_decoder_fails(caplog: pytest.LogCaptureFixture) -> None:
    def fails(pixels: U8) -> U8:  # noqa: ARG001
        raise MemoryError("the GPU is full")

    assert same(outcome(sampled("420"), Recording(fails)), outcome(sampled("420"), None))
    assert "the GPU is full" in caplog.text


def test_a_device_that_ends_is_not_the_fault_of_the_image() -> None:
    """Its worker analyzes the image again with the next device."""

    def ends(pixels: U8) -> U8:  # noqa: ARG001
        raise RunnerLostError("the device process ended")

    with pytest.raises(RunnerLostError):
        outcome(sampled("420"), Recording(ends))


def test_pixels_are_copied_out_of_the_memory_of_the_decoder() -> None:
    gpu = Recording()
    pictures = [outcome(sampled(each), gpu) for each in ("420", "444")]
    assert same(pictures[0], outcome(sampled("420"), None))


@pytest.mark.parametrize("size", [(1280, 720), (1283, 721), (721, 1283), (2561, 41)])
@pytest.mark.parametrize("side", [160, 320, 640])
def test_fewer_pixels_are_as_those_of_the_cpu(size: tuple[int, int], side: int) -> None:
    data = sampled("420", size)
    found, alone = outcome(data, Recording(), side=side), outcome(data, None, side=side)
    assert isinstance(found, Picture)
    assert isinstance(alone, Picture)
    assert found[1:] == alone[1:] == size
    assert found.pixels.shape == alone.pixels.shape
    difference = np.abs(found.pixels.astype(int) - alone.pixels)
    assert difference.mean() < 2


@given(st.data())
def test_damaged_jpegs_get_the_status_of_the_cpu(data: st.DataObject) -> None:
    content = bytearray(sampled(data.draw(st.sampled_from(["420", "444", "Gray"])), (260, 257)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, 700), st.integers(0, len(content) - 1)))
        content[place] = data.draw(st.integers(0, 255))
    gpu = Recording()
    found, alone = outcome(bytes(content), gpu), outcome(bytes(content), None)
    if isinstance(alone, str):
        assert found == alone
        assert not gpu.calls, "its decoder could return pixels"
    else:
        assert isinstance(found, Picture)
        assert found[1:] == alone[1:]


@given(st.binary(max_size=64), st.integers(2, 700))
def test_any_bytes_have_an_answer(junk: bytes, place: int) -> None:
    assert not is_plain(junk)
    data = sampled("444")
    assert is_plain(data)
    assert isinstance(is_plain(data[:place] + junk + data[place + len(junk) :]), bool)
