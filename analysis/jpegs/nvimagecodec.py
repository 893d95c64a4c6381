"""NVIDIA's nvImageCodec: the JPEG hardware of a GPU, its cores, or the CPU for tests.

A100, A30, Ada, Hopper and Blackwell have hardware for JPEGs; elsewhere nvJPEG uses the GPU's cores,
and a CPU thread for a part of the work. If one decoder of the library cannot decode an image, the
library uses the next one. Its decoder for the CPU is left out, because workers decode there.
"""

import importlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

import numpy as np

from engines.errors import GpuMemoryError, GpuMissingError, LibraryMissingError
from engines.types import U8

PACKAGE = "nvidia.nvimgcodec"
INSTALL = "`pip install 'nvidia-nvimgcodec-cu13[nvjpeg]'`"
# As with libjpeg-turbo in workers, colours are interpolated and the transform is exact. With the
# threshold 0, the GPU decodes the Huffman codes of images of any size, not the CPU.
OPTIONS = ":fancy_upsampling=1 :fast_idct=0 nvjpeg_cuda_decoder:hybrid_huffman_threshold=0"
# In the library's order: hardware for JPEGs, then the cores.
ON_GPU = ("HW_GPU_ONLY", "GPU_ONLY", "HYBRID_CPU_GPU")
# CUDA's error 2 is cudaErrorMemoryAllocation.
NO_MEMORY = re.compile("CUDA Runtime failure:? '#2'")
# Threads that the library adds, each with buffers and a CUDA stream.
THREADS = 2


class NvImageCodec:
    """A decoder on the GPU that this process sees, or on the CPU; used by one thread."""

    def __init__(self, backend: str = "gpu") -> None:
        """Load the library; `backend` is `gpu` or `cpu`.

        Raises:
            LibraryMissingError: it is not installed.
            GpuMissingError: there is no GPU, or no driver for it.
            GpuMemoryError: the GPU has no memory for it.
        """
        library, on_cpu = _library(), backend == "cpu"
        kinds = ("CPU_ONLY",) if on_cpu else ON_GPU
        with _typed_errors():
            self._decoder = library.Decoder(
                device_id=library.NVIMGCODEC_DEVICE_CPU_ONLY if on_cpu else 0,
                max_num_cpu_threads=THREADS,
                backends=[library.Backend(getattr(library.BackendKind, each)) for each in kinds],
                options=OPTIONS,
            )
        self._parse = library.CodeStream
        # A worker turns the image; `analysis.sanitize` has removed the EXIF data in any case.
        self._params = library.DecodeParams(apply_exif_orientation=False)

    def decode(self, images: Sequence[U8]) -> list[U8 | None]:
        """See `BatchDecoder.decode`.

        Raises:
            GpuMemoryError: the GPU has no memory for an image.
            GpuMissingError: the library or its GPU failed.
        """
        decoded: list[U8 | None] = [None] * len(images)
        readable = {}
        for index, each in enumerate(images):
            with suppress(RuntimeError):  # a damaged header
                readable[index] = self._parse(each)
        with _typed_errors():
            found = self._decoder.decode(list(readable.values()), params=self._params)
            for index, image in zip(readable, found, strict=True):
                decoded[index] = _pixels(image)
        return decoded


def _pixels(image: Any) -> U8 | None:
    """Copy an image to the CPU; None if it was not decoded, or if there is no memory for it."""
    there = None if image is None else image.cpu()
    return None if there is None else np.asarray(there)


@contextmanager
def _typed_errors() -> Iterator[None]:
    """Raise typed errors in place of RuntimeError, the only type of the library."""
    try:
        yield
    except RuntimeError as error:
        if NO_MEMORY.search(str(error)):
            raise GpuMemoryError(f"nvImageCodec finds no memory on the GPU: {error}") from error
        raise GpuMissingError(f"nvImageCodec cannot use a GPU: {error}") from error


def _library() -> Any:
    # The library would print an error per damaged image.
    os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")  # noqa: TID251  (the library's own)
    try:
        return importlib.import_module(PACKAGE)
    except ImportError as error:
        raise missing() from error


def installed() -> bool:
    """Return whether the library is installed, without loading it."""
    try:
        return find_spec(PACKAGE) is not None
    except ModuleNotFoundError:
        return False


def missing() -> LibraryMissingError:
    """Return the error that the library is not installed."""
    return LibraryMissingError(
        f"nvImageCodec is not installed; {INSTALL}, or set EMOTIONS_JPEG_DECODER=cpu"
    )
