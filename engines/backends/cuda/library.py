"""ONNX Runtime for GPUs: checks for it and the CUDA libraries, and the arena of its memory."""

import contextlib
import ctypes
import functools
import io
from pathlib import Path
from typing import NamedTuple

import onnxruntime as ort

from engines.errors import GpuMissingError, LibraryMissingError

FOLDER = Path(ort.__file__).parent / "capi"
# The provider needs all others but cuDNN, which ONNX Runtime loads when the first layer runs.
LIBRARIES = (
    str(FOLDER / "libonnxruntime_providers_shared.so"),
    str(FOLDER / "libonnxruntime_providers_cuda.so"),
    "libcudnn.so.9",
)
# The arena grows by what a batch needs. By default it doubles, up to all memory of the GPU.
SAME_AS_REQUESTED = 1
# Messages of less severity than this are not printed: ONNX Runtime raises its errors, too.
FATAL = 4
DEFAULT = -1


class Provider(NamedTuple):
    """An execution provider: its name, its kind of memory, and its budget in bytes or None."""

    name: str
    memory: str
    limit: int | None = None


CUDA = Provider("CUDAExecutionProvider", "Cuda")


def check_installed() -> None:
    """Check that the installed ONNX Runtime is the one for GPUs.

    Raises:
        LibraryMissingError: it is the one for CPUs; both fill the same folder.
    """
    if CUDA.name not in ort.get_available_providers():
        raise LibraryMissingError(
            "the installed onnxruntime runs on CPUs only; run `pip install '.[cuda]'`, then "
            "`pip uninstall onnxruntime`, then "
            "`pip install --force-reinstall --no-deps onnxruntime-gpu`"
        )


def check_libraries() -> None:
    """Load the libraries of CUDA and cuDNN from their packages or from the system.

    This does not start CUDA. Without one of them, ONNX Runtime would run on the CPU and warn.

    Raises:
        GpuMissingError: one is missing; the message names it.
    """
    ort.set_default_logger_severity(FATAL)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
        ort.preload_dlls(directory="")
    for library in LIBRARIES:
        try:
            ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise GpuMissingError(
                f"ONNX Runtime cannot use the GPU: {error}; `pip install '.[cuda]'` installs the "
                "libraries of CUDA and cuDNN, and libcuda.so.1 is part of NVIDIA's driver"
            ) from error


@functools.cache
def share_memory(provider: Provider) -> None:
    """Let all sessions of this process take their memory from one arena within the budget.

    Otherwise each session would keep the memory of its largest batch.
    """
    memory = ort.OrtMemoryInfo(
        provider.memory, ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    arena = ort.OrtArenaCfg(provider.limit or 0, SAME_AS_REQUESTED, DEFAULT, DEFAULT)
    ort.create_and_register_allocator_v2(provider.name, memory, {}, arena)
