"""PReLU, depth-wise 3x3 convolution and PReLU as one step of PyTorch on CPUs.

PyTorch's and TensorFlow's depth-wise gradients take most of MobileFaceNet's time on a CPU, and in
bfloat16 more of it (`docs/LOG.md`). `depthwise.cpp` is compiled when it is first asked for.
"""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engines.cpu import instructions

SOURCE = Path(__file__).with_suffix(".cpp")
# Channels that the kernel takes at once, at most.
LANES = 16
TYPES = (torch.bfloat16, torch.float32)


def available() -> bool:
    """Whether this machine has a C++ compiler."""
    return shutil.which("c++") is not None


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 (AVX-512 BF16): elsewhere float32 is quicker."""
    return "avx512_bf16" in instructions()


class Weights(NamedTuple):
    """Of channels C, float32: slopes (C,), kernel (9, C), bias (C,), slopes (C,)."""

    before: Tensor
    kernel: Tensor
    bias: Tensor
    after: Tensor


def depthwise(maps: Tensor, weights: Weights, stride: int = 1) -> Tensor:
    """(N, H, W, C) -> (N, ceil(H / stride), ceil(W / stride), C), both bfloat16 or both float32.

    A PReLU (arXiv 1502.01852) with the slopes ``before``, the convolution with a pixel of zeros
    around the maps, a PReLU with the slopes ``after``.

    Raises:
        ValueError: the maps are of another type, or C is no multiple of 16.

    """
    if maps.dtype not in TYPES or maps.shape[3] % LANES:
        raise ValueError(
            f"maps are bfloat16 or float32 with {LANES}, {2 * LANES}, … channels:"
            f" {maps.dtype}, {maps.shape}"
        )
    return torch.as_tensor(_Depthwise.apply(maps, stride, *weights))


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, maps: Tensor, stride: int, *weights: Tensor) -> Tensor:
        faces, height, width, channels = maps.shape
        shape = (faces, (height - 1) // stride + 1, (width - 1) // stride + 1, channels)
        middle, out = (torch.empty(shape, dtype=maps.dtype) for _ in range(2))

        library = _library()  # compiled before the threads ask for it

        def run(part: slice, _: int) -> None:
            given = [maps[part], *weights, middle[part], out[part]]
            library.depthwise_forward(*_sizes(maps[part], stride), *map(_pointer, given))

        _for_parts(run, faces)
        context.save_for_backward(maps, middle, *weights)
        context.stride = stride
        return out

    @staticmethod
    def backward(context: Any, of_out: Tensor) -> tuple[Tensor | None, ...]:
        maps, middle, before, kernel, _, after = context.saved_tensors
        of_out, of_maps = of_out.contiguous(), torch.empty_like(maps)
        sums = torch.zeros(torch.get_num_threads(), 12, maps.shape[3])

        def run(part: slice, thread: int) -> None:
            given = [maps[part], before, kernel, after, middle[part], of_out[part], of_maps[part]]
            sizes = _sizes(maps[part], context.stride)
            _library().depthwise_backward(*sizes, *map(_pointer, [*given, sums[thread]]))

        _for_parts(run, len(maps))
        total = sums.sum(0)
        return of_maps, None, total[10], total[:9], total[9], total[11]


def _for_parts(run: Callable[[slice, int], None], faces: int) -> None:
    """Call ``run`` on a share of the faces in each of PyTorch's number of threads."""
    threads = torch.get_num_threads()
    edges = [faces * i // threads for i in range(threads + 1)]
    parts = [slice(*edges[i : i + 2]) for i in range(threads)]
    list(_pool(threads).map(run, parts, range(threads)))


def _sizes(maps: Tensor, stride: int) -> list[ctypes.c_int64]:
    half = maps.dtype == torch.bfloat16
    return [ctypes.c_int64(each) for each in (half, *maps.shape, stride)]


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    if not tensor.is_contiguous():
        raise ValueError(f"a tensor {tuple(tensor.shape)} is not laid out as the kernel reads it")
    return ctypes.c_void_p(tensor.data_ptr())


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


@lru_cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "depthwise.so"
        flags = ["-std=c++17", "-O3", "-march=native", "-Wno-psabi", "-shared", "-fPIC"]
        subprocess.run(["c++", *flags, str(SOURCE), "-o", str(path)], check=True)  # noqa: S603, S607
        return ctypes.CDLL(str(path))
