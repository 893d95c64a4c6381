"""A GPU decodes plain JPEGs only, and no answer of its decoder changes a status."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analysis.decode import Picture, open_picture
from analysis.errors import ServiceError
from analysis.jpegs import offload
from analysis.jpegs.plain import is_plain
from analysis.limits import ImageLimits
from engines.errors import RunnerLostError
from engines.types import U8
from tests.analysis.jpegs.decoders import Answer, Recording
from tests.analysis.jpegs.files import (
    behind_last_samples,
    changed,
    inserted,
    photograph,
    pillow,
    restarts,
    sampled,
    segment,
    separate_scans,
)
from tests.analysis.pictures import at
from tests.cases import Case
from tests.photographs import encode

LIMITS = ImageLimits(max_bytes=4 << 20, max_pixels=40_000_000)
SMALL_LIMITS = ImageLimits(max_bytes=4 << 20, max_pixels=70_000)
GPU, CPU = "the GPU decodes it", "the CPU decodes it"
FRAME, EXTENDED, ARITHMETIC, LINES, SCAN = 0xC0, 0xC1, 0xC9, 0xDC, 0xDA
LEAST = round(offload.LEAST_PIXELS**0.5)
TURNED = Image.Exif()
TURNED[0x0112] = 6


class JpegCase(NamedTuple):
    """What must happen to a JPEG, and the file."""

    case: Case
    file: Callable[[], bytes]


def jpeg(name: str, expected: str, happens: str, file: Callable[[], bytes]) -> JpegCase:
    return JpegCase(Case(name, expected, happens), file)


def restarted() -> bytes:
    return pillow(restart_marker_blocks=7)


def without_a_restart() -> bytes:
    place = restarts(restarted())[3]
    return restarted()[:place] + restarted()[place + 2 :]


def out_of_order() -> bytes:
    place = restarts(restarted())[3] + 1
    return restarted()[:place] + b"\xd6" + restarted()[place + 1 :]


def with_lines() -> bytes:
    """The height is not in the frame but behind the samples."""
    data = pillow()
    first = segment(data, FRAME).start
    height = data[first + 5 : first + 7]
    data = changed(changed(data, FRAME, 5, 0), FRAME, 6, 0)
    return behind_last_samples(data, bytes([0xFF, LINES, 0, 4]) + height)


def two_frames() -> bytes:
    data = pillow()
    frame = segment(data, FRAME)
    return inserted(data, FRAME, data[frame.start : frame.end])


def without_jfif() -> bytes:
    data = pillow()
    jfif = segment(data, 0xE0)
    return data[: jfif.start] + data[jfif.end :]


JPEG_CASES = [
    *(
        jpeg(f"JPEG, chroma {':'.join(each)}", "its pixels", GPU, lambda each=each: sampled(each))  # type: ignore[misc]
        for each in ("444", "422", "420", "440")
    ),
    jpeg("JPEG, grey", "grey in all three channels", GPU, lambda: sampled("Gray")),
    jpeg("JPEG, restart markers", "its pixels", GPU, restarted),
    jpeg("JPEG, EXIF", "turned upright", GPU, lambda: pillow(exif=TURNED.tobytes())),
    jpeg("JPEG, ICC profile", "the profile is ignored", GPU, lambda: pillow(icc_profile=b"x" * 99)),
    jpeg("JPEG, without JFIF's header", "its pixels", GPU, without_jfif),
    jpeg("JPEG, bytes behind its end", "they are ignored", GPU, lambda: pillow() + bytes(999)),
    jpeg(
        "JPEG, extended frame of 8 bits",
        "its pixels",
        GPU,
        lambda: changed(pillow(), FRAME, 1, EXTENDED),
    ),
    jpeg("JPEG, chroma 4:1:1", "its pixels", CPU, lambda: sampled("411")),
    jpeg("JPEG, progressive", "its pixels", CPU, lambda: pillow(progressive=True)),
    jpeg("JPEG, CMYK", "converted to RGB", CPU, lambda: pillow("CMYK")),
    jpeg("JPEG, RGB without YCbCr", "its pixels", CPU, lambda: pillow(keep_rgb=True)),
    jpeg("JPEG, a scan per colour", "its pixels", CPU, separate_scans),
    jpeg("JPEG, height behind the samples", "its pixels, or an error", CPU, with_lines),
    jpeg(
        "JPEG, names of components that are not 1, 2, 3",
        "its pixels",
        CPU,
        lambda: changed(changed(pillow(), FRAME, 10, 0), SCAN, 5, 0),
    ),
    jpeg(
        "JPEG, arithmetic codes",
        "its pixels",
        CPU,
        lambda: changed(pillow(), FRAME, 1, ARITHMETIC),
    ),
    jpeg("JPEG, a restart marker is missing", "its pixels, or an error", CPU, without_a_restart),
    jpeg("JPEG, restart markers out of order", "its pixels, or an error", CPU, out_of_order),
    jpeg(
        "JPEG, restart marker without an interval",
        "its pixels, or an error",
        CPU,
        lambda: behind_last_samples(pillow(), b"\xff\xd0"),
    ),
    jpeg(
        "JPEG, fill bytes behind the samples",
        "its pixels",
        CPU,
        lambda: behind_last_samples(pillow(), b"\xff"),
    ),
    jpeg("JPEG, two frames", "its pixels, or an error", CPU, two_frames),
    jpeg("JPEG, cut off", "an error", "422 `corrupt_image`", lambda: pillow()[:-9]),
    jpeg(
        "JPEG, 12 bits per sample",
        "its pixels",
        "415 `unsupported_media`",
        lambda: changed(pillow(), FRAME, 4, 12),
    ),
]
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
    found, alone = outcome(bytes(content), Recording()), outcome(bytes(content), None)
    if isinstance(alone, str):
        assert found == alone
    else:
        assert isinstance(found, Picture)
        assert found[1:] == alone[1:]


@given(st.binary(max_size=64), st.integers(2, 700))
def test_any_bytes_have_an_answer(junk: bytes, place: int) -> None:
    assert not is_plain(junk)
    data = sampled("444")
    assert is_plain(data)
    assert isinstance(is_plain(data[:place] + junk + data[place + len(junk) :]), bool)
