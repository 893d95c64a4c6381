"""nvImageCodec on the CPU, which needs no driver, decodes the pixels of libjpeg-turbo."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from analysis import sanitize
from analysis.jpegs.nvimagecodec import NvImageCodec, installed
from analysis.jpegs.plain import is_plain
from analysis.jpegs.select import load_decoder
from engines.errors import EngineError, GpuMissingError, LibraryMissingError
from engines.types import U8
from tests.analysis.jpegs.decoders import ON_CPU
from tests.analysis.jpegs.files import pillow, sampled

pytestmark = pytest.mark.skipif(not installed(), reason="nvImageCodec is for Linux")
# In levels of 255. Libraries may round the transform and the colours differently.
MOST = 3


@pytest.fixture(scope="module")
def decoder() -> NvImageCodec:
    return NvImageCodec("cpu")


def stripped(data: bytes) -> bytes:
    return sanitize.read(data).data


def encoded(data: bytes) -> U8:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("size", [(160, 160), (321, 243), (322, 241), (1283, 722)])
@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "Gray"])
def test_the_pixels_are_those_of_libjpeg_turbo(
    decoder: NvImageCodec, sampling: str, size: tuple[int, int]
) -> None:
    data = stripped(sampled(sampling, size))
    (pixels,) = decoder.decode([encoded(data)])
    expected = simplejpeg.decode_jpeg(data, "RGB")
    assert pixels is not None
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= MOST


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 5}, {"restart_marker_rows": 2}])
def test_restart_markers(decoder: NvImageCodec, options: dict[str, Any]) -> None:
    data = stripped(pillow(**options))
    assert is_plain(data)
    (pixels,) = decoder.decode([encoded(data)])
    assert pixels is not None
    assert np.abs(pixels.astype(int) - simplejpeg.decode_jpeg(data, "RGB")).max() <= MOST


def test_a_batch_has_one_result_per_image(decoder: NvImageCodec) -> None:
    images = [sampled("420"), b"not an image", sampled("444"), sampled("420")[:9000], b""]
    decoded = decoder.decode([encoded(each) for each in images])
    assert [pixels is not None for pixels in decoded] == [True, False, True, False, False]
    assert decoder.decode([]) == []


@given(st.data())
def test_damaged_jpegs_give_pixels_of_their_size_or_none(
    decoder: NvImageCodec, data: st.DataObject
) -> None:
    content = bytearray(stripped(sampled("420", (170, 161))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(20, len(content) - 1))] = data.draw(st.integers(0, 255))
    if not is_plain(bytes(content)):
        return
    (pixels,) = decoder.decode([encoded(bytes(content))])
    try:
        expected = simplejpeg.decode_jpeg(bytes(content), "RGB")
    except ValueError:  # a warning
        return
    assert pixels is not None
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= MOST


def test_decoders_by_name() -> None:
    assert load_decoder(ON_CPU).decode([encoded(sampled("420"))])[0] is not None
    with pytest.raises(EngineError, match="no JPEG decoder 'nvjpeg'; there are: cpu, nvimagecodec"):
        load_decoder("nvjpeg")


def test_without_a_gpu_it_is_refused() -> None:
    with pytest.raises(GpuMissingError, match="nvImageCodec cannot use a GPU"):
        load_decoder("nvimagecodec")


def test_a_decoder_that_decodes_nothing_is_refused() -> None:
    """As the library does on a GPU without the libraries of CUDA."""
    with pytest.raises(GpuMissingError, match=r"decodes nothing.*EMOTIONS_JPEG_DECODER=cpu"):
        load_decoder("tests.analysis.jpegs.test_nvimagecodec:Declining:")


def test_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.nvimgcodec", None)
    with pytest.raises(
        LibraryMissingError, match=r"pip install 'nvidia-nvimgcodec-cu13\[nvjpeg\]'"
    ):
        load_decoder(ON_CPU)


def test_a_service_checks_the_name_without_loading_the_library() -> None:
    script = "import sys; from analysis.jpegs.select import check; check('nvimagecodec');"
    script += "print('nvidia.nvimgcodec' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ended.stdout == b"False\n"
    assert ended.stderr == b""


class Declining:
    def __init__(self, argument: str) -> None:
        assert not argument

    def decode(self, images: list[U8]) -> list[U8 | None]:
        return [None] * len(images)
