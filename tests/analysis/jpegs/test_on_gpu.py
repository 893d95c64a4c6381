"""How nvImageCodec is used on a GPU, with a library that stands in for it."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.jpegs.nvimagecodec import PACKAGE, NvImageCodec
from analysis.jpegs.select import PROBE, load_decoder
from engines.errors import GpuMemoryError, GpuMissingError
from engines.types import U8

PIXELS = np.zeros((2, 3, 3), np.uint8)
NO_MEMORY = "CUDA Runtime failure: '#2' at python/image.cpp:64"


class Image:
    """An image on the GPU; `there` is its copy on the CPU."""

    def __init__(self, there: U8 | None) -> None:
        self._there = there

    def cpu(self) -> U8 | None:
        return self._there


class Library(SimpleNamespace):
    """Decodes an image of one byte to what `results` has at that index."""

    NVIMGCODEC_DEVICE_CPU_ONLY = -99999
    BackendKind = SimpleNamespace(
        **{name: name for name in ("GPU_ONLY", "CPU_ONLY", "HYBRID_CPU_GPU", "HW_GPU_ONLY")}
    )

    def __init__(self, results: list[Image | None]) -> None:
        self.results, self.made = results, dict[str, Any]()

    def Decoder(self, **options: Any) -> Any:  # noqa: N802
        self.made = options
        return self

    def Backend(self, kind: str) -> str:  # noqa: N802
        return kind

    def CodeStream(self, data: U8) -> U8:  # noqa: N802
        return data

    def DecodeParams(self, *, apply_exif_orientation: bool) -> bool:  # noqa: N802
        return apply_exif_orientation

    def decode(self, streams: list[U8], params: bool) -> list[Image | None]:
        assert not params, "workers turn images"
        return [self.results[int(each[0])] for each in streams]


def test_it_uses_the_gpu_of_its_process_and_never_its_own_decoder_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library([])
    monkeypatch.setitem(sys.modules, PACKAGE, library)
    NvImageCodec()
    assert library.made["device_id"] == 0
    assert library.made["backends"] == ["HW_GPU_ONLY", "GPU_ONLY", "HYBRID_CPU_GPU"]
    assert ":fancy_upsampling=1" in library.made["options"]


def test_an_image_without_memory_is_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the memory is missing on the GPU, or on the CPU for the copy."""
    monkeypatch.setitem(sys.modules, PACKAGE, Library([None, Image(None), Image(PIXELS)]))
    images = [np.array([index], np.uint8) for index in range(3)]
    decoded = NvImageCodec().decode(images)
    assert decoded[:2] == [None, None]
    assert decoded[2] is not None
    assert np.array_equal(decoded[2], PIXELS)


class Failing(Library):
    """Its decoder decodes nothing, and has no memory for a large image."""

    def decode(self, streams: list[U8], params: bool) -> list[Image | None]:  # noqa: ARG002
        if max(map(len, streams)) > PROBE**2 / 8:
            raise RuntimeError(NO_MEMORY)
        return [None] * len(streams)


@pytest.mark.parametrize(
    ("problem", "error", "message"),
    [
        ("no driver", GpuMissingError, "cannot use a GPU: no driver"),
        ("CUDA Runtime failure: '#209'", GpuMissingError, "cannot use a GPU: CUDA"),
        (NO_MEMORY, GpuMemoryError, "finds no memory on the GPU"),
    ],
)
def test_errors_of_the_library_are_typed(
    monkeypatch: pytest.MonkeyPatch, problem: str, error: type[Exception], message: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError(problem)

    library = Library([])
    monkeypatch.setitem(sys.modules, PACKAGE, library)
    decoder = NvImageCodec()
    monkeypatch.setattr(library, "decode", fails, raising=False)
    with pytest.raises(error, match=message):
        decoder.decode([np.zeros(1, np.uint8)])
    monkeypatch.setattr(library, "Decoder", fails, raising=False)
    with pytest.raises(error, match=message):
        NvImageCodec()


def test_a_decoder_without_memory_for_its_buffers_is_not_one_without_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both decode nothing."""
    monkeypatch.setitem(sys.modules, PACKAGE, Failing([]))
    with pytest.raises(GpuMemoryError, match="finds no memory on the GPU"):
        load_decoder("analysis.jpegs.nvimagecodec:NvImageCodec:gpu")
